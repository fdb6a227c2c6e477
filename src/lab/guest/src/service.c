#include "service.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "loop.h"

enum { MAX_CONNECTIONS = 4096 };
// New connections are refused below this, so that the rest of the guest goes on.
enum { RESERVED_BYTES = 6 << 20 };

struct listener {
  struct watcher watcher;
  const struct service *service;
};

struct connection {
  struct watcher watcher;
  const struct service *service;
  uint32_t events;
  _Alignas(16) char state[];
};

static int open_connections;

static void accept_connections(struct watcher *watcher, uint32_t events);
static void advance_connection(struct watcher *watcher, uint32_t events);
static void close_connection(struct connection *connection);
static bool memory_is_short(void);
static int listening_socket(uint16_t port);

int service_start(const struct service *service) {
  struct listener *listener = calloc(1, sizeof *listener);
  if (listener == NULL) return -1;
  listener->service = service;
  listener->watcher.ready = accept_connections;
  listener->watcher.fd = listening_socket(service->port);
  if (listener->watcher.fd < 0) return -1;
  return loop_watch(&listener->watcher, EPOLLIN);
}

static void accept_connections(struct watcher *watcher, uint32_t events) {
  (void)events;
  const struct service *service = ((struct listener *)watcher)->service;
  for (;;) {
    int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct connection *connection = NULL;
    if (open_connections < MAX_CONNECTIONS && !memory_is_short()) {
      connection = calloc(1, sizeof *connection + service->state_bytes);
    }
    if (connection == NULL) {
      close(fd);
      continue;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    connection->watcher = (struct watcher){.fd = fd, .ready = advance_connection};
    connection->service = service;
    connection->events = service->events;
    open_connections++;
    if (loop_watch(&connection->watcher, connection->events) < 0) close_connection(connection);
  }
}

static void advance_connection(struct watcher *watcher, uint32_t events) {
  struct connection *connection = (struct connection *)watcher;
  uint32_t next = connection->service->advance(watcher->fd, connection->state, events);
  if (next == 0) {
    close_connection(connection);
  } else if (next != connection->events) {
    connection->events = next;
    loop_change(watcher, next);
  }
}

static void close_connection(struct connection *connection) {
  loop_forget(&connection->watcher);
  close(connection->watcher.fd);
  if (connection->service->release != NULL) connection->service->release(connection->state);
  free(connection);
  open_connections--;
}

static bool memory_is_short(void) {
  struct sysinfo info;
  return sysinfo(&info) == 0 && info.freeram * info.mem_unit < RESERVED_BYTES;
}

static int listening_socket(uint16_t port) {
  // IPv6 with IPv4 mapped into it; plain IPv4 where the kernel was booted without IPv6.
  int on = 1, off = 0;
  struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr *address = (struct sockaddr *)&any6;
  socklen_t length = sizeof any6;
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  } else {
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address = (struct sockaddr *)&any4;
    length = sizeof any4;
  }
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, address, length) < 0 || listen(fd, 1024) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

int drop_input(int fd) {
  for (int turn = 0; turn < 8; turn++) {
    // With MSG_TRUNC, TCP drops the bytes without copying them.
    ssize_t count = recv(fd, NULL, 1 << 20, MSG_TRUNC);
    if (count == 0) return 0;
    if (count < 0) return errno == EAGAIN || errno == EINTR ? 1 : -1;
  }
  return 1;
}
