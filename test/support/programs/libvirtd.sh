#!/bin/sh
# libvirtd.sh FOLDER NAME: runs libvirtd in the namespaces that this was started in (mount, UTS and PID ones of its own),
# as the host NAME. Everything that libvirtd keeps is in FOLDER; its socket is FOLDER/run/libvirt-sock.
set -eu
folder=$1
name=$2
hostname "$name"
mkdir -p "$folder/etc" "$folder/run"
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /var/cache
mount -t tmpfs tmpfs /var/log
mkdir -p /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt
mount --bind "$folder/run" /run/libvirt
mount --bind "$folder/etc" /etc/libvirt
# The users that Debian makes when libvirt runs as a service; libvirtd does not start without them.
for file in passwd group; do
  cp "/etc/$file" "$folder/$file"
done
echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/bin/false' >>"$folder/passwd"
printf '%s\n' 'libvirt-qemu:x:64055:' 'kvm:x:64056:' >>"$folder/group"
for file in passwd group; do
  mount --bind "$folder/$file" "/etc/$file"
done
printf '127.0.0.1 localhost %s\n' "$name" >"$folder/hosts"
mount --bind "$folder/hosts" /etc/hosts
cat >/etc/libvirt/qemu.conf <<END
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
remember_owner = 0
stdio_handler = "file"
END
cat >/etc/libvirt/libvirtd.conf <<END
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
auth_unix_rw = "none"
keepalive_interval = 1
keepalive_count = 2
log_outputs = "3:stderr"
END
# Not exec: libvirtd is not made to be the first process of a namespace.
libvirtd --config /etc/libvirt/libvirtd.conf &
wait $!
