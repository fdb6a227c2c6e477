# shellcheck shell=bash
# What every script here shares. Expects `root` (the checkout) to be set.

export LC_ALL=C
: "${root:?the script that sources this file sets root}"
# Other scripts read this one.
# shellcheck disable=SC2034
build="$root/build"

# say TEXT: one progress line. Always on stderr, so that a caller's stdout stays a result.
say() {
  printf 'setup: %s\n' "$*" >&2
}

# die TEXT [HINT]: reports a precondition that is not met and ends with exit code 3.
die() {
  printf 'setup: error: %s\n' "$1" >&2
  if [ $# -gt 1 ]; then
    printf 'setup: %s\n' "$2" >&2
  fi
  exit 3
}

# newer_than TARGET FILE…: true when TARGET is missing or older than one of the files.
newer_than() {
  local target=$1 file
  shift
  [ -e "$target" ] || return 0
  for file in "$@"; do
    if [ "$file" -nt "$target" ]; then
      return 0
    fi
  done
  return 1
}
