// Deterministic content of any length, the same in every guest: a client can compute it.
//
// A xorshift32 generator (Marsaglia, "Xorshift RNGs", 2003: shifts 13, 17, 5) starts at
// 0x9e3779b9. Each step's state is four bytes of the stream, least significant first.
// A blob of N bytes is the first N bytes of the stream.
#ifndef BLOB_H
#define BLOB_H

#include <stddef.h>
#include <stdint.h>

struct blob {
  uint32_t state;
};

void blob_start(struct blob *blob);
// Writes the next bytes of the stream; all calls but the last with a multiple of four.
void blob_next(struct blob *blob, unsigned char *bytes, size_t count);
// SHA-256 of the first `count` bytes, as 64 hexadecimal digits and a terminating zero.
void blob_sha256(uint64_t count, char digits[65]);

#endif
