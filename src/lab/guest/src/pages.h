// What the HTTP service has to say.
#ifndef PAGES_H
#define PAGES_H

#include <stdbool.h>
#include <stdint.h>

enum { MAX_PAGE_BYTES = 512, MAX_ANSWER_BYTES = 1024 };

#define MAX_BLOB_BYTES (1ULL << 40)

// Fills `text` and returns its media type, or NULL when there is no such page.
const char *page_fill(const char *path, char text[MAX_PAGE_BYTES]);

// Starts a process that answers on `fd` with the blob's SHA-256 and ends the connection's sending
// side. False when too many are at work.
bool page_sha256_by_child(int fd, uint64_t count);
// To be told of every child process that ended.
void page_child_ended(int process);

#endif
