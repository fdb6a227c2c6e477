# shellcheck shell=bash
# Debian packages: what is needed, what is missing, and how it is installed.

# Not here: qemu-system-x86 (qemu.sh), libvirt (libvirt.sh), bind9 (below) and nodejs/npm (node.sh), which have conditions
# of their own.
readonly system_packages=(
  iproute2 nftables conntrack tcpdump iputils-ping ethtool procps util-linux openssl ca-certificates curl
  kmod systemd busybox-static cpio gzip xz-utils zstd
  clang libbpf-dev linux-libc-dev gcc libc6-dev
  libfaketime bind9-dnsutils socat
)

# Its server is run by tests alone, in a network of their own: no service of the machine is started or enabled for it, and
# one that is there already is left as it is.
readonly name_server_package=bind9

readonly service_policy=/usr/sbin/policy-rc.d
readonly service_policy_mark='# Sojourn set-up: removed at its end.'

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

# ensure_name_server: named is there, for the tests of updates of the DNS.
ensure_name_server() {
  ensure_without_services /usr/sbin/named "$name_server_package" -- named.service named-resolvconf.service
}

# ensure_without_services PROGRAM NAME… -- UNIT…: these packages are installed. Where PROGRAM was not there before, nothing
# of theirs is started, and the units are not enabled; what is there already is left as it is.
ensure_without_services() {
  local program=$1 missing names=()
  shift
  while [ "$1" != -- ]; do
    names+=("$1")
    shift
  done
  shift
  mapfile -t missing < <(missing_packages "${names[@]}")
  if [ "${#missing[@]}" -eq 0 ]; then
    return
  fi
  if [ -e "$program" ]; then
    install_packages "${missing[@]}"
    return
  fi
  install_without_services "${missing[@]}"
  disable_units "$@"
}

# install_without_services NAME…: as install_packages, but no service that a package brings is started.
install_without_services() {
  deny_service_starts
  trap allow_service_starts EXIT
  install_packages "$@"
  allow_service_starts
  trap - EXIT
}

# Packages ask this script before they start a service (invoke-rc.d(8)); one that is there has its own reasons.
deny_service_starts() {
  [ ! -e "$service_policy" ] || return 0
  printf '#!/bin/sh\n%s\nexit 101\n' "$service_policy_mark" >"$service_policy.new"
  chmod 755 "$service_policy.new"
  mv "$service_policy.new" "$service_policy"
}

allow_service_starts() {
  if grep -qsxF "$service_policy_mark" "$service_policy"; then
    rm -f "$service_policy"
  fi
}

# disable_units UNIT…: those that are there do not run at the next start of the machine.
disable_units() {
  local unit
  command -v systemctl >/dev/null || return 0
  for unit in "$@"; do
    if [ -e "/usr/lib/systemd/system/$unit" ] || [ -e "/lib/systemd/system/$unit" ]; then
      systemctl --quiet disable "$unit" >>"$build/apt.log" 2>&1 || true
    fi
  done
}
