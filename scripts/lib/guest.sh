# shellcheck shell=bash
# The lab's guest: Debian's cloud kernel, unpacked and never installed, and an initramfs of our own.

readonly guest="$build/guest"
readonly guest_source="$root/src/lab/guest"

ensure_guest() {
  ensure_guest_kernel
  if newer_than "$guest/initramfs.cpio.gz" "$guest/vmlinuz" "$guest_source"/* "$guest_source"/src/*; then
    say 'building the guest image'
    "$guest_source/build" "$guest" || die 'building the guest image failed'
  fi
}

# ensure_guest_kernel: build/guest/kernel holds boot/ and lib/modules/, build/guest/vmlinuz the kernel.
ensure_guest_kernel() {
  [ ! -e "$guest/vmlinuz" ] || return 0
  local package work
  update_lists
  package=$(apt-cache show --no-all-versions linux-image-cloud-amd64 2>/dev/null |
    sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1)
  [ -n "$package" ] || die 'the Debian package "linux-image-cloud-amd64" is not to be had from the package sources'
  say "fetching the guest kernel ($package; unpacked, not installed)"
  work="$guest/kernel.new"
  rm -rf "$work" "$guest/kernel"
  mkdir -p "$work/download"
  (cd "$work/download" && run_apt "downloading $package" apt-get -q -o APT::Sandbox::User=root download "$package")
  dpkg-deb --extract "$work"/download/*.deb "$work"
  rm -r "$work/download"
  # From Debian 13's successor on, modules may lie in /usr/lib.
  [ -d "$work/lib/modules" ] || ln -s usr/lib "$work/lib"
  mv "$work" "$guest/kernel"
  cp "$guest"/kernel/boot/vmlinuz-* "$guest/vmlinuz.new"
  mv "$guest/vmlinuz.new" "$guest/vmlinuz"
}
