// The lab guest's first process once its network stands: sojourn-guest MEMCHECK_MIB DIRTY_MBPS
//
// Serves echo, discard, chargen and HTTP, runs /etc/rc.local if there is one, says
// "sojourn-guest: ready" on the console, and does what the first process has to do: it reaps, and
// powers the machine off at the power button and at SIGTERM or busybox's poweroff.
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/input.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "memcheck.h"
#include "pages.h"
#include "service.h"

static pid_t memcheck;
static sigset_t own_signals;

static void watch_signals(void);
static void watch_power_button(void);
static void run_rc_local(void);

int main(int count, char **arguments) {
  const struct service *services[] = {&echo_service, &discard_service, &chargen_service, &http_service};
  uint64_t mib = count > 1 ? strtoull(arguments[1], NULL, 10) : 0;
  uint64_t mbps = count > 2 ? strtoull(arguments[2], NULL, 10) : 0;

  setrlimit(RLIMIT_NOFILE, &(struct rlimit){16384, 16384});
  if (mib > 0) memcheck = memcheck_start(mib, mbps);
  loop_init();
  watch_signals();
  watch_power_button();
  for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
    if (service_start(services[i]) < 0) {
      dprintf(1, "sojourn-guest: cannot serve %s: %s\n", services[i]->name, strerror(errno));
    }
  }
  run_rc_local();
  dprintf(1, "sojourn-guest: ready\n");
  loop_run();
}

static void power(int how) {
  dprintf(1, "sojourn-guest: %s\n", how == RB_AUTOBOOT ? "restarting" : "powering off");
  kill(-1, SIGTERM);
  sync();
  reboot(how);
}

static void reap(void) {
  int status;
  pid_t process;
  while ((process = waitpid(-1, &status, WNOHANG)) > 0) {
    page_child_ended(process);
    if (process == memcheck) dprintf(1, "memcheck: ENDED with status %#x\n", status);
  }
}

static void signal_ready(struct watcher *watcher, uint32_t events) {
  struct signalfd_siginfo signal;
  (void)events;
  while (read(watcher->fd, &signal, sizeof signal) == sizeof signal) {
    if (signal.ssi_signo == SIGCHLD) reap();
    else if (signal.ssi_signo == SIGINT) power(RB_AUTOBOOT);  // ctrl-alt-delete
    else power(RB_POWER_OFF);
  }
}

static void watch_signals(void) {
  static struct watcher watcher = {.ready = signal_ready};
  sigemptyset(&own_signals);
  sigaddset(&own_signals, SIGCHLD);
  sigaddset(&own_signals, SIGINT);
  sigaddset(&own_signals, SIGTERM);
  sigaddset(&own_signals, SIGUSR1);
  sigaddset(&own_signals, SIGUSR2);
  sigprocmask(SIG_BLOCK, &own_signals, NULL);
  reboot(RB_DISABLE_CAD);
  watcher.fd = signalfd(-1, &own_signals, SFD_NONBLOCK | SFD_CLOEXEC);
  loop_watch(&watcher, EPOLLIN);
}

static void input_ready(struct watcher *watcher, uint32_t events) {
  struct input_event event;
  if (events & EPOLLERR) loop_forget(watcher);
  while (read(watcher->fd, &event, sizeof event) == sizeof event) {
    if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) power(RB_POWER_OFF);
  }
}

static void watch_power_button(void) {
  glob_t inputs;
  if (glob("/dev/input/event*", 0, NULL, &inputs) != 0) return;
  for (size_t i = 0; i < inputs.gl_pathc; i++) {
    struct watcher *watcher = calloc(1, sizeof *watcher);
    if (watcher == NULL) break;
    watcher->ready = input_ready;
    watcher->fd = open(inputs.gl_pathv[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (watcher->fd < 0 || loop_watch(watcher, EPOLLIN) < 0) free(watcher);
  }
  globfree(&inputs);
}

static void run_rc_local(void) {
  if (access("/etc/rc.local", F_OK) != 0 || fork() != 0) return;
  sigprocmask(SIG_UNBLOCK, &own_signals, NULL);
  setsid();
  // An overlay's file may have come without its execute bit.
  if (access("/etc/rc.local", X_OK) == 0) execl("/etc/rc.local", "/etc/rc.local", (char *)NULL);
  execl("/bin/sh", "/bin/sh", "/etc/rc.local", (char *)NULL);
  _exit(127);
}
