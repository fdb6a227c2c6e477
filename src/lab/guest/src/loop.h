// One epoll loop; everything that waits for a descriptor registers a watcher with it.
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

struct watcher {
  int fd;
  // Called with epoll's event bits; may free the watcher after loop_forget.
  void (*ready)(struct watcher *self, uint32_t events);
};

void loop_init(void);
// Returns 0, or -1 with errno.
int loop_watch(struct watcher *watcher, uint32_t events);
void loop_change(struct watcher *watcher, uint32_t events);
void loop_forget(struct watcher *watcher);
_Noreturn void loop_run(void);

#endif
