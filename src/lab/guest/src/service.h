// A TCP service: a port, and a state machine that is advanced whenever its connection is ready.
#ifndef SERVICE_H
#define SERVICE_H

#include <stddef.h>
#include <stdint.h>

struct service {
  const char *name;
  uint16_t port;
  size_t state_bytes;  // zeroed memory for each connection
  uint32_t events;     // waited for at first
  // Does what can be done without waiting. Returns the events to wait for next, 0 to close.
  uint32_t (*advance)(int fd, void *state, uint32_t events);
  void (*release)(void *state);  // may be NULL
};

extern const struct service echo_service, discard_service, chargen_service, http_service;

// Listens for it. Returns 0, or -1 with errno.
int service_start(const struct service *service);

// Shared by the services: takes what has arrived and drops it. Returns 1 while the peer's
// direction is open, 0 at its end, -1 when the connection is broken.
int drop_input(int fd);

#endif
