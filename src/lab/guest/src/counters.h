// Counters of the kernel's network stack.
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdint.h>

// The counter `name` of a group in /proc/net/netstat or /proc/net/snmp; 0 when it is not there.
uint64_t kernel_counter(const char *file, const char *group, const char *name);

#endif
