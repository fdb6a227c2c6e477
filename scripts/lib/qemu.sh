# shellcheck shell=bash
# QEMU 9.0 or newer. Older ones lose guest memory writes when a software-emulated guest migrates,
# and Debian 12's main has 7.2; its backports have 10.

readonly qemu_binary=/usr/bin/qemu-system-x86_64
readonly oldest_qemu=9.0
readonly backports_file=/etc/apt/sources.list.d/sojourn-backports.sources

# ensure_qemu CODENAME: CODENAME is Debian's, from /etc/os-release.
ensure_qemu() {
  local version
  version=$(qemu_version)
  if [ -n "$version" ] && version_at_least "$version" "$oldest_qemu"; then
    return
  fi
  if [ "$1" = bookworm ]; then
    say "QEMU here is ${version:-not installed}; $oldest_qemu or newer is needed, so QEMU comes from bookworm-backports"
    ensure_backports
    install_packages -t bookworm-backports qemu-system-x86
  else
    install_packages qemu-system-x86
  fi
  version=$(qemu_version)
  if [ -z "$version" ] || ! version_at_least "$version" "$oldest_qemu"; then
    die "QEMU is ${version:-missing} after the installation; $oldest_qemu or newer is needed" \
      "Is $qemu_binary Debian's own, and does this machine's package source have a newer one?"
  fi
}

# ensure_backports: uses bookworm-backports if configured, else adds it from the mirror in use.
ensure_backports() {
  update_lists
  if apt-get indextargets --format '$(CODENAME)' 'Created-By: Packages' | grep -qx bookworm-backports; then
    return
  fi
  local mirror entry signed_by
  IFS='|' read -r mirror entry < <(debian_mirror) || true
  if [ -z "${mirror:-}" ]; then
    die "no entry for Debian's own bookworm/main was found in this machine's package sources" \
      'Add one, or add bookworm-backports yourself, and run this again.'
  fi
  signed_by=$(signing_key "$entry")
  say "adding the package source $mirror bookworm-backports ($backports_file); at its default priority it upgrades nothing"
  printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\n%s' "$mirror" \
    "${signed_by:+Signed-By: $signed_by$'\n'}" >"$backports_file.new"
  mv "$backports_file.new" "$backports_file"
  lists_are_fresh=no
  update_lists
}

# debian_mirror: "URI|file:number" of the entry that serves Debian's own bookworm/main.
# apt itself reads both source formats here. Other vendors use the same suite names, hence Origin.
debian_mirror() {
  apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)|$(SOURCESENTRY)' \
    'Created-By: Packages' 'Identifier: Packages' |
    awk -F'|' '$1 == "Debian" && $2 == "bookworm" && $3 == "main" { print $4 "|" $5; exit }'
}

# signing_key ENTRY: the key file that this entry names, or nothing when apt's default keys serve.
signing_key() {
  local file=${1%:*} number=${1##*:}
  case $file in
    *.sources)
      awk -v wanted="$number" 'BEGIN { RS = ""; FS = "\n" } NR == wanted {
        for (i = 1; i <= NF; i++) if (tolower($i) ~ /^signed-by:[ \t]*\//) { sub(/^[^:]*:[ \t]*/, "", $i); print $i }
      }' "$file"
      ;;
    *) sed -n "${number}s/^[^]]*signed-by=\([^] ]*\).*/\1/p" "$file" ;;
  esac
}

# qemu_version: "10.0", or nothing when there is none.
qemu_version() {
  if [ -x "$qemu_binary" ]; then
    "$qemu_binary" --version | sed -n 's/^QEMU emulator version \([0-9]*\.[0-9]*\).*/\1/p'
  fi
}

version_at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}
