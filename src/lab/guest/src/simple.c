// TCP echo (RFC 862), discard (RFC 863) and character generator (RFC 864).
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "service.h"

// Sends what came; takes no more from a peer that does not read its echo.
struct echo {
  size_t start, end;
  char bytes[4096];
};

static uint32_t advance_echo(int fd, void *state, uint32_t events) {
  struct echo *echo = state;
  (void)events;
  for (int turn = 0; turn < 16; turn++) {
    while (echo->start < echo->end) {
      ssize_t sent = send(fd, echo->bytes + echo->start, echo->end - echo->start, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR ? EPOLLOUT : 0;
      echo->start += sent;
    }
    ssize_t count = recv(fd, echo->bytes, sizeof echo->bytes, 0);
    if (count == 0) return 0;
    if (count < 0) return errno == EAGAIN || errno == EINTR ? EPOLLIN : 0;
    echo->start = 0;
    echo->end = count;
  }
  // Others get their turn; what was read last still has to be sent.
  return EPOLLOUT;
}

const struct service echo_service = {"echo", 7, sizeof(struct echo), EPOLLIN, advance_echo, NULL};

static uint32_t advance_discard(int fd, void *state, uint32_t events) {
  (void)state, (void)events;
  return drop_input(fd) > 0 ? EPOLLIN : 0;
}

const struct service discard_service = {"discard", 9, 0, EPOLLIN, advance_discard, NULL};

// Lines of 72 of the 95 printable characters, each line starting one further: it repeats after 95.
enum { LINE_CHARACTERS = 72, LINE_BYTES = LINE_CHARACTERS + 2, PERIOD_BYTES = 95 * LINE_BYTES };
// Several periods in a row, so that one send is large wherever it starts in the first.
enum { PATTERN_BYTES = 10 * PERIOD_BYTES };

static char pattern[PATTERN_BYTES];

static void fill_pattern(void) {
  char *next = pattern;
  for (int line = 0; line < PATTERN_BYTES / LINE_BYTES; line++) {
    for (int i = 0; i < LINE_CHARACTERS; i++) *next++ = ' ' + (line + i) % 95;
    *next++ = '\r';
    *next++ = '\n';
  }
}

struct chargen {
  size_t position;
  bool input_ended;
};

static uint32_t advance_chargen(int fd, void *state, uint32_t events) {
  struct chargen *chargen = state;
  if (pattern[0] == 0) fill_pattern();
  if ((events & EPOLLIN) && !chargen->input_ended) {
    int input = drop_input(fd);
    if (input < 0) return 0;
    chargen->input_ended = input == 0;
  }
  ssize_t sent = send(fd, pattern + chargen->position, PATTERN_BYTES - chargen->position, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return 0;
  if (sent > 0) chargen->position = (chargen->position + sent) % PERIOD_BYTES;
  return chargen->input_ended ? EPOLLOUT : EPOLLIN | EPOLLOUT;
}

const struct service chargen_service = {
    "chargen", 19, sizeof(struct chargen), EPOLLIN | EPOLLOUT, advance_chargen, NULL};
