#include "blob.h"

#include <stdio.h>
#include <string.h>

#include "sha256.h"

void blob_start(struct blob *blob) {
  blob->state = 0x9e3779b9;
}

void blob_next(struct blob *blob, unsigned char *bytes, size_t count) {
  uint32_t state = blob->state;
  for (size_t i = 0; i < count; i += 4) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    memcpy(bytes + i, &state, count - i < 4 ? count - i : 4);
  }
  blob->state = state;
}

void blob_sha256(uint64_t count, char digits[65]) {
  static unsigned char bytes[16384];
  struct blob blob;
  struct sha256 hash;
  blob_start(&blob);
  sha256_start(&hash);
  while (count > 0) {
    size_t part = count < sizeof bytes ? count : sizeof bytes;
    blob_next(&blob, bytes, part);
    sha256_add(&hash, bytes, part);
    count -= part;
  }
  unsigned char digest[32];
  sha256_finish(&hash, digest);
  for (int i = 0; i < 32; i++) sprintf(digits + 2 * i, "%02x", digest[i]);
}
