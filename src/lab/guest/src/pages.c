#include "pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "blob.h"
#include "counters.h"
#include "memcheck.h"

enum { MAX_CHILDREN = 8 };

static int children[MAX_CHILDREN];

static int64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

const char *page_fill(const char *path, char text[MAX_PAGE_BYTES]) {
  if (strcmp(path, "/") == 0) {
    char name[65] = "";
    gethostname(name, sizeof name - 1);
    snprintf(text, MAX_PAGE_BYTES, "<!doctype html><title>%s</title><h1>%s</h1>\n", name, name);
    return "text/html";
  }
  if (strcmp(path, "/clock") == 0) {
    // Strings: nanoseconds since 1970 are beyond what a JSON number holds exactly everywhere.
    snprintf(text, MAX_PAGE_BYTES, "{\"realtime_ns\":\"%ld\",\"monotonic_ns\":\"%ld\"}\n", clock_ns(CLOCK_REALTIME),
             clock_ns(CLOCK_MONOTONIC));
    return "application/json";
  }
  if (strcmp(path, "/tcp") == 0) {
    snprintf(text, MAX_PAGE_BYTES,
             "{\"retransmissions\":%lu,\"timeouts\":%lu,\"loss_probes\":%lu,\"segments_sent\":%lu}\n",
             kernel_counter("/proc/net/snmp", "Tcp", "RetransSegs"),
             kernel_counter("/proc/net/netstat", "TcpExt", "TCPTimeouts"),
             kernel_counter("/proc/net/netstat", "TcpExt", "TCPLossProbes"),
             kernel_counter("/proc/net/snmp", "Tcp", "OutSegs"));
    return "application/json";
  }
  if (strcmp(path, "/memcheck") == 0) {
    struct memcheck_report report = memcheck_report();
    snprintf(text, MAX_PAGE_BYTES, "{\"passes\":%lu,\"corruptions\":%lu,\"mib\":%lu}\n", report.passes,
             report.corruptions, report.mib);
    return "application/json";
  }
  return NULL;
}

_Noreturn static void send_sha256(int fd, uint64_t count) {
  char digits[65], text[256];
  // A copy of another connection's descriptor would keep that connection open.
  close_range(3, fd - 1, 0);
  close_range(fd + 1, ~0U, 0);
  setpriority(PRIO_PROCESS, 0, 10);
  blob_sha256(count, digits);
  int length = snprintf(text, sizeof text,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 65\r\n"
                        "Connection: close\r\n\r\n%s\n",
                        digits);
  // A first answer of this size always fits into the socket's buffer.
  _exit(send(fd, text, length, MSG_NOSIGNAL) == length && shutdown(fd, SHUT_RDWR) == 0 ? 0 : 1);
}

bool page_sha256_by_child(int fd, uint64_t count) {
  for (int i = 0; i < MAX_CHILDREN; i++) {
    if (children[i] != 0) continue;
    int child = fork();
    if (child < 0) return false;
    if (child == 0) send_sha256(fd, count);
    children[i] = child;
    return true;
  }
  return false;
}

void page_child_ended(int process) {
  for (int i = 0; i < MAX_CHILDREN; i++) {
    if (children[i] == process) children[i] = 0;
  }
}
