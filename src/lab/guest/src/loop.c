#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

static int epoll_fd;

void loop_init(void) {
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) abort();
}

int loop_watch(struct watcher *watcher, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = watcher};
  return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, watcher->fd, &event);
}

void loop_change(struct watcher *watcher, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = watcher};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, watcher->fd, &event) < 0) abort();
}

void loop_forget(struct watcher *watcher) {
  epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watcher->fd, NULL);
}

void loop_run(void) {
  for (;;) {
    // A watcher frees nobody but itself, so no event in this batch can point to freed memory.
    struct epoll_event events[64];
    int count = epoll_wait(epoll_fd, events, 64, -1);
    if (count < 0 && errno != EINTR) abort();
    for (int i = 0; i < count; i++) {
      struct watcher *watcher = events[i].data.ptr;
      watcher->ready(watcher, events[i].events);
    }
  }
}
