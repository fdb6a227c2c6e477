# shellcheck shell=bash
# libvirt for `sojourn lab up --libvirt`: the programs alone. The lab's hosts run a libvirtd of their own each, so no
# service of the machine is started or enabled for it; one that is there already is left as it is.

readonly libvirt_packages=(libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients)

ensure_libvirt() {
  local missing is_new=no
  mapfile -t missing < <(missing_packages "${libvirt_packages[@]}")
  if [ "${#missing[@]}" -eq 0 ]; then
    return
  fi
  [ -e /usr/sbin/libvirtd ] || is_new=yes
  if [ "$is_new" = no ]; then
    install_packages "${missing[@]}"
    return
  fi
  install_without_services "${missing[@]}"
  # Debian 13's packages bring units that would run at the next start of the machine; Debian 12's do not.
  disable_units libvirt-guests.service libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket \
    virtlogd.service virtlogd.socket virtlogd-admin.socket virtlockd.service virtlockd.socket virtlockd-admin.socket
}
