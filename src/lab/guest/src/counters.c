#include "counters.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINE_BYTES = 8192 };

static bool is_of_group(const char *line, const char *group) {
  size_t length = strlen(group);
  return strncmp(line, group, length) == 0 && line[length] == ':';
}

// A group is two lines: names, then values in the same order.
static bool read_group(FILE *stream, const char *group, char names[MAX_LINE_BYTES], char values[MAX_LINE_BYTES]) {
  while (fgets(names, MAX_LINE_BYTES, stream) != NULL && fgets(values, MAX_LINE_BYTES, stream) != NULL) {
    if (is_of_group(names, group) && is_of_group(values, group)) return true;
  }
  return false;
}

uint64_t kernel_counter(const char *file, const char *group, const char *name) {
  char names[MAX_LINE_BYTES], values[MAX_LINE_BYTES];
  FILE *stream = fopen(file, "re");
  if (stream == NULL) return 0;
  bool found = read_group(stream, group, names, values);
  fclose(stream);
  if (!found) return 0;
  char *rest_of_names, *rest_of_values;
  char *each = strtok_r(names, " \n", &rest_of_names);
  char *value = strtok_r(values, " \n", &rest_of_values);
  while (each != NULL && value != NULL && strcmp(each, name) != 0) {
    each = strtok_r(NULL, " \n", &rest_of_names);
    value = strtok_r(NULL, " \n", &rest_of_values);
  }
  return each == NULL || value == NULL ? 0 : strtoull(value, NULL, 10);
}
