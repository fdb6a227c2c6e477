// HTTP/1.1 with keep-alive: /, /blob?bytes=N, /blob.sha256?bytes=N, /clock, /tcp, /memcheck.
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blob.h"
#include "pages.h"
#include "service.h"

enum { MAX_REQUEST_BYTES = 4096, BLOB_PART_BYTES = 16384 };

struct http {
  size_t request_bytes;  // received and not yet answered
  bool closing;          // close when the answer is sent
  bool handed_over;      // another process sends the answer
  size_t answer_bytes, answer_sent;
  char request[MAX_REQUEST_BYTES];
  char answer[MAX_ANSWER_BYTES];
  // The rest of a blob's answer, made part by part.
  struct blob blob;
  uint64_t blob_left;
  size_t part_bytes, part_sent;
  unsigned char *part;
};

enum progress { DONE, WAIT, BROKEN };

static enum progress send_answer(int fd, struct http *http);
static enum progress send_some(int fd, const void *bytes, size_t count, size_t *sent);
static bool answer_request(int fd, struct http *http);
static void answer_path(int fd, struct http *http, const char *path, bool with_body);

static uint32_t advance_http(int fd, void *state, uint32_t events) {
  struct http *http = state;
  (void)events;
  for (int turn = 0; turn < 16; turn++) {
    enum progress progress = send_answer(fd, http);
    if (progress == BROKEN) return 0;
    if (progress == WAIT) return EPOLLOUT;
    if (http->closing) {
      // Input that is still unread at close would reset the connection and lose the answer's end.
      if (!http->handed_over) shutdown(fd, SHUT_WR);
      return drop_input(fd) > 0 ? EPOLLIN : 0;
    }
    if (answer_request(fd, http)) continue;
    ssize_t count =
        recv(fd, http->request + http->request_bytes, sizeof http->request - http->request_bytes, 0);
    if (count == 0) return 0;
    if (count < 0) return errno == EAGAIN || errno == EINTR ? EPOLLIN : 0;
    http->request_bytes += count;
  }
  return EPOLLOUT;
}

static void release_http(void *state) {
  free(((struct http *)state)->part);
}

const struct service http_service = {"http", 80, sizeof(struct http), EPOLLIN, advance_http, release_http};

// Sends what is left of the present answer.
static enum progress send_answer(int fd, struct http *http) {
  enum progress progress = send_some(fd, http->answer, http->answer_bytes, &http->answer_sent);
  for (int turn = 0; progress == DONE; turn++) {
    if (http->part_sent == http->part_bytes) {
      if (http->blob_left == 0) break;
      // A writable socket reports again at once: the others get their turn in between.
      if (turn == 8) return WAIT;
      http->part_bytes = http->blob_left < BLOB_PART_BYTES ? http->blob_left : BLOB_PART_BYTES;
      http->part_sent = 0;
      http->blob_left -= http->part_bytes;
      blob_next(&http->blob, http->part, http->part_bytes);
    }
    progress = send_some(fd, http->part, http->part_bytes, &http->part_sent);
  }
  if (progress == DONE) {
    free(http->part);
    http->part = NULL;
    http->part_bytes = http->part_sent = http->answer_bytes = http->answer_sent = 0;
  }
  return progress;
}

static enum progress send_some(int fd, const void *bytes, size_t count, size_t *sent) {
  while (*sent < count) {
    ssize_t now = send(fd, (const char *)bytes + *sent, count - *sent, MSG_NOSIGNAL);
    if (now < 0) return errno == EAGAIN || errno == EINTR ? WAIT : BROKEN;
    *sent += now;
  }
  return DONE;
}

static void answer(struct http *http, const char *status, const char *type, const char *text, bool with_body) {
  http->answer_bytes =
      snprintf(http->answer, sizeof http->answer,
               "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n%s\r\n%s",
               status, type, strlen(text), http->closing ? "Connection: close\r\n" : "", with_body ? text : "");
}

static void refuse(struct http *http, const char *status) {
  char text[128];
  http->closing = true;
  snprintf(text, sizeof text, "%s\n", status);
  answer(http, status, "text/plain", text, true);
}

// Begins the answer to the first whole request received. False: there is none yet.
static bool answer_request(int fd, struct http *http) {
  char *end = memmem(http->request, http->request_bytes, "\r\n\r\n", 4);
  if (end == NULL) {
    if (http->request_bytes < sizeof http->request) return false;
    http->request_bytes = 0;
    refuse(http, "431 Request Header Fields Too Large");
    return true;
  }
  end[2] = 0;
  char method[8], path[256];
  int minor = 1;
  bool understood = sscanf(http->request, "%7[A-Z] %255[!-~] HTTP/1.%1d\r\n", method, path, &minor) == 3;
  bool has_body = strcasestr(http->request, "\r\ncontent-length:") || strcasestr(http->request, "\r\ntransfer-encoding:");
  bool keeps_alive = minor == 0 ? strcasestr(http->request, "\r\nconnection: keep-alive\r\n") != NULL
                                : strcasestr(http->request, "\r\nconnection: close\r\n") == NULL;
  if (!understood || has_body) {
    refuse(http, "400 Bad Request");
  } else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
    refuse(http, "405 Method Not Allowed");
  } else {
    http->closing = !keeps_alive;
    answer_path(fd, http, path, method[0] == 'G');
  }
  size_t used = end + 4 - http->request;
  http->request_bytes -= used;
  memmove(http->request, http->request + used, http->request_bytes);
  return true;
}

static bool byte_count(const char *digits, uint64_t *count) {
  char *end;
  if (*digits < '0' || *digits > '9') return false;
  *count = strtoull(digits, &end, 10);
  return *end == 0 && *count <= MAX_BLOB_BYTES;
}

static void answer_path(int fd, struct http *http, const char *path, bool with_body) {
  char text[MAX_PAGE_BYTES];
  const char *digits = strchr(path, '=') == NULL ? "" : strchr(path, '=') + 1;
  uint64_t count;
  if (strncmp(path, "/blob?bytes=", 12) == 0 && byte_count(digits, &count)) {
    http->answer_bytes = snprintf(http->answer, sizeof http->answer,
                                  "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                                  "Content-Length: %lu\r\n%s\r\n",
                                  count, http->closing ? "Connection: close\r\n" : "");
    http->part = malloc(BLOB_PART_BYTES);
    if (http->part == NULL) return refuse(http, "503 Service Unavailable");
    blob_start(&http->blob);
    http->blob_left = with_body ? count : 0;
  } else if (strncmp(path, "/blob.sha256?bytes=", 19) == 0 && byte_count(digits, &count)) {
    // Another process computes and sends it: the other connections must not wait.
    http->closing = http->handed_over = page_sha256_by_child(fd, count);
    if (!http->handed_over) refuse(http, "503 Service Unavailable");
  } else {
    const char *type = page_fill(path, text);
    if (type == NULL) return answer(http, "404 Not Found", "text/plain", "not found\n", with_body);
    answer(http, "200 OK", type, text, with_body);
  }
}
