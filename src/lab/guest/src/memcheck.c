#include "memcheck.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, PAGE_WORDS = PAGE_BYTES / 8, CHECKSUM = PAGE_WORDS - 1 };
// Each corrupt page is counted; only these many are described on the console.
enum { MAX_DESCRIBED = 32 };

// Shared with the process, so that the HTTP service can report it.
static struct memcheck_report *report;

_Noreturn static void check_for_ever(uint64_t pages, uint64_t mbps);
static void write_page(uint64_t *page, uint64_t index, uint64_t generation);
static bool page_is_right(const uint64_t *page, uint64_t index, uint64_t generation);
static void describe(const uint64_t *page, uint64_t index, uint64_t generation);
static void keep_pace(uint64_t mbps, uint64_t bytes);
static double now_s(void);

pid_t memcheck_start(uint64_t mib, uint64_t mbps) {
  report = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (report == MAP_FAILED) {
    report = NULL;
    return -1;
  }
  report->mib = mib;
  pid_t child = fork();
  if (child != 0) return child;
  setpriority(PRIO_PROCESS, 0, 10);
  check_for_ever(mib * (1048576 / PAGE_BYTES), mbps);
}

struct memcheck_report memcheck_report(void) {
  return report == NULL ? (struct memcheck_report){0} : *report;
}

// A page's words depend on its index and generation; every pass writes the next generation and
// knows, from outside the page, which one it must find. So a lost write is seen as well as a wrong one.
static void check_for_ever(uint64_t pages, uint64_t mbps) {
  uint64_t *memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    dprintf(1, "memcheck: not enough memory for %lu pages\n", pages);
    _exit(1);
  }
  for (uint64_t i = 0; i < pages; i++) write_page(memory + i * PAGE_WORDS, i, 0);
  double said_s = 0;
  for (uint64_t generation = 0;; generation++) {
    for (uint64_t i = 0; i < pages; i++) {
      uint64_t *page = memory + i * PAGE_WORDS;
      if (!page_is_right(page, i, generation)) {
        if (report->corruptions++ < MAX_DESCRIBED) describe(page, i, generation);
      }
      write_page(page, i, generation + 1);
      if (mbps > 0) keep_pace(mbps, PAGE_BYTES);
    }
    report->passes++;
    if (now_s() - said_s < 1) continue;
    said_s = now_s();
    if (report->corruptions == 0) {
      dprintf(1, "memcheck: pass %lu ok\n", report->passes);
    } else {
      dprintf(1, "memcheck: pass %lu CORRUPT pages so far %lu\n", report->passes, report->corruptions);
    }
  }
}

static uint64_t first_word(uint64_t index, uint64_t generation) {
  uint64_t word = (index << 32 ^ generation) * 0x9e3779b97f4a7c15;
  return word ^ word >> 29;
}

static const uint64_t step = 0xbf58476d1ce4e5b9;

// The checksum makes a page's words belong together even to a reader that knows no generation.
static void write_page(uint64_t *page, uint64_t index, uint64_t generation) {
  uint64_t word = first_word(index, generation), sum = 0;
  for (int i = 0; i < CHECKSUM; i++, word += step) {
    page[i] = word;
    sum += word;
  }
  page[CHECKSUM] = ~sum;
}

static bool page_is_right(const uint64_t *page, uint64_t index, uint64_t generation) {
  uint64_t word = first_word(index, generation), sum = 0, difference = 0;
  for (int i = 0; i < CHECKSUM; i++, word += step) {
    difference |= page[i] ^ word;
    sum += page[i];
  }
  return difference == 0 && page[CHECKSUM] == ~sum;
}

static void describe(const uint64_t *page, uint64_t index, uint64_t generation) {
  uint64_t word = first_word(index, generation), sum = 0;
  int at = CHECKSUM;
  for (int i = 0; i < CHECKSUM; i++, word += step) {
    sum += word;
    if (page[i] != word && at == CHECKSUM) at = i;
  }
  uint64_t expected = at == CHECKSUM ? ~sum : first_word(index, generation) + at * step;
  const char *kind = "unknown content";
  if (generation > 0 && page_is_right(page, index, generation - 1)) kind = "the generation before: a lost write";
  dprintf(1, "memcheck: CORRUPT page %lu word %d generation %lu expected %016lx found %016lx (%s)\n", index, at,
          generation, expected, page[at], kind);
}

static void keep_pace(uint64_t mbps, uint64_t bytes) {
  static double due_s;
  due_s += bytes * 8 / (mbps * 1e6);
  double ahead_s = due_s - now_s();
  // After a pause of the whole guest the pace goes on; it does not catch up.
  if (ahead_s < -0.1) due_s = now_s();
  // Shorter sleeps would cost more than they pace.
  if (ahead_s < 0.002) return;
  struct timespec pause = {.tv_sec = ahead_s, .tv_nsec = (ahead_s - (long)ahead_s) * 1e9};
  nanosleep(&pause, NULL);
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}
