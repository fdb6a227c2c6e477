# shellcheck shell=bash
# libvirt for `sojourn lab up --libvirt`: the programs alone. The lab's hosts run a libvirtd of their own each, so no
# service of the machine is started or enabled for it; one that is there already is left as it is.

readonly libvirt_packages=(libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients)

ensure_libvirt() {
  # Debian 13's packages bring units that would run at the next start of the machine; Debian 12's do not.
  ensure_without_services /usr/sbin/libvirtd "${libvirt_packages[@]}" -- \
    libvirt-guests.service libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket \
    virtlogd.service virtlogd.socket virtlogd-admin.socket virtlockd.service virtlockd.socket virtlockd-admin.socket
}
