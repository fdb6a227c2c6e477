// A process that writes and verifies memory without pause, to show that a migration loses nothing.
#ifndef MEMCHECK_H
#define MEMCHECK_H

#include <stdint.h>
#include <sys/types.h>

struct memcheck_report {
  uint64_t mib;          // checked memory; 0: not asked for
  uint64_t passes;       // times that every page was verified and rewritten
  uint64_t corruptions;  // pages that did not hold what was written; never goes back
};

// Starts it on `mib` MiB, paced to `mbps` megabits written per second (0: full speed).
// Returns its process id, or -1 with errno.
pid_t memcheck_start(uint64_t mib, uint64_t mbps);
struct memcheck_report memcheck_report(void);

#endif
