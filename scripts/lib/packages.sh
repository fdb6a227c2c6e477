# shellcheck shell=bash
# Debian packages: what is needed, what is missing, and how it is installed.

# Not here: qemu-system-x86 (qemu.sh), libvirt (libvirt.sh) and nodejs/npm (node.sh), which have conditions of their own.
readonly system_packages=(
  iproute2 nftables conntrack tcpdump iputils-ping ethtool procps util-linux openssl ca-certificates curl
  kmod systemd busybox-static cpio gzip xz-utils zstd
  clang libbpf-dev linux-libc-dev gcc libc6-dev
  libfaketime
)

lists_are_fresh=no

# missing_packages NAME…: prints those that are not installed.
missing_packages() {
  local name status
  declare -A installed=()
  while read -r name status; do
    if [ "$status" = installed ]; then
      installed[$name]=yes
    fi
  done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
  for name in "$@"; do
    [ "${installed[$name]:-no}" = yes ] || printf '%s\n' "$name"
  done
}

# run_apt WHAT COMMAND…: runs apt quietly into build/apt.log; WHAT is named when it fails.
# It does not get the set-up lock (9): a service that a package starts would hold it for ever.
run_apt() {
  local what=$1
  shift
  mkdir -p "$build"
  printf '\n### %s\n' "$*" >>"$build/apt.log"
  if ! DEBIAN_FRONTEND=noninteractive "$@" >>"$build/apt.log" 2>&1 </dev/null 9>&-; then
    tail -n 20 "$build/apt.log" >&2
    die "$what failed" "The whole output is in $build/apt.log. Nothing else was changed; run this again when the cause is gone."
  fi
}

# update_lists: apt-get update, once per run, and again when a source was added.
# A failure is not the end: often it is another vendor's source, and what is needed can still be had.
update_lists() {
  [ "$lists_are_fresh" = no ] || return 0
  lists_are_fresh=yes
  say 'updating the package lists'
  mkdir -p "$build"
  local attempt
  for attempt in 1 2 3; do
    if apt-get -q update >>"$build/apt.log" 2>&1 </dev/null; then
      return
    fi
    # Another apt may hold the lists' lock, for which apt knows no waiting.
    [ "$attempt" -eq 3 ] || sleep 2
  done
  say "warning: apt-get update failed (see $build/apt.log); going on with the lists that are there"
}

# install_packages [-t RELEASE] NAME…: installs, after making sure that each one is to be had.
install_packages() {
  local release=() name
  if [ "$1" = -t ]; then
    release=(-t "$2")
    shift 2
  fi
  update_lists
  for name in "$@"; do
    if [ -z "$(apt-cache show --no-all-versions "$name" 2>/dev/null)" ]; then
      die "the Debian package \"$name\" is not to be had from this machine's package sources" \
        'Check /etc/apt/sources.list and /etc/apt/sources.list.d: the main component of Debian 12 or 13 is needed.'
    fi
  done
  say "installing $*"
  # What an interrupted installation left behind would make apt refuse; if this fails, apt says why.
  if [ -n "$(ls -A /var/lib/dpkg/updates)" ]; then
    dpkg --configure -a >>"$build/apt.log" 2>&1 </dev/null 9>&- || true
  fi
  run_apt "installing $*" apt-get -q -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
    "${release[@]}" install "$@"
}

# ensure_packages: everything in system_packages is installed.
ensure_packages() {
  local missing
  mapfile -t missing < <(missing_packages "${system_packages[@]}")
  if [ "${#missing[@]}" -gt 0 ]; then
    install_packages "${missing[@]}"
  fi
}
