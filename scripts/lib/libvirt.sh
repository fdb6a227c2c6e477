# shellcheck shell=bash
# libvirt for `sojourn lab up --libvirt`: the programs alone. The lab's hosts run a libvirtd of their own each, so no
# service of the machine is started or enabled for it; one that is there already is left as it is.

readonly libvirt_packages=(libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients)
readonly service_policy=/usr/sbin/policy-rc.d
readonly service_policy_mark='# Sojourn set-up: removed at its end.'

ensure_libvirt() {
  local missing is_new=no
  mapfile -t missing < <(missing_packages "${libvirt_packages[@]}")
  if [ "${#missing[@]}" -eq 0 ]; then
    return
  fi
  [ -e /usr/sbin/libvirtd ] || is_new=yes
  if [ "$is_new" = yes ]; then
    deny_service_starts
    trap allow_service_starts EXIT
  fi
  install_packages "${missing[@]}"
  if [ "$is_new" = yes ]; then
    allow_service_starts
    trap - EXIT
    disable_libvirt_units
  fi
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

# Debian 13's packages bring units that would run at the next start of the machine; Debian 12's do not.
disable_libvirt_units() {
  local unit
  command -v systemctl >/dev/null || return 0
  for unit in libvirt-guests.service libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket \
    virtlogd.service virtlogd.socket virtlogd-admin.socket virtlockd.service virtlockd.socket virtlockd-admin.socket; do
    if [ -e "/usr/lib/systemd/system/$unit" ]; then
      systemctl --quiet disable "$unit" >>"$build/apt.log" 2>&1 || true
    fi
  done
}
