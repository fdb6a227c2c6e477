#!/bin/sh
# First process of a lab node, already in its own network, mount and UTS namespaces: gives the node its
# private folders, says "ready" and stays as the process through which others enter.
# usage: node-init.sh LAB NODE STATE_FOLDER ETC_FOLDER DISK_FOLDER
set -eu
lab=$1 node=$2 state=$3 etc=$4 disk=$5

printf '%s' "$node" > /proc/sys/kernel/hostname

# sysfs shows the devices of the network namespace it was mounted in.
mount --no-mtab -t sysfs sysfs /sys
mount --no-mtab -t bpf bpf /sys/fs/bpf || echo "no BPF file system in this kernel" >&2

mount --no-mtab --bind "$etc" /etc/sojourn
mount --no-mtab --bind "$disk" /var/lib/sojourn

# The lab's own folder stays visible in the new /run. The mount's source is the mark by which the lab's
# processes are found, also in mount namespaces that were made from this one.
staging=$state/nodes/$node/run
mount --no-mtab -t tmpfs -o mode=0755 "sojourn-lab:$lab:$node" "$staging"
mkdir -p "$staging/lock" "$staging$(printf '%s' "$state" | sed 's|^/run||')"
mount --no-mtab --bind "$state" "$staging$(printf '%s' "$state" | sed 's|^/run||')"
mount --no-mtab --move "$staging" /run

# The machine's own defaults must not decide what the lab shows.
for setting in all default; do
  echo 0 > "/proc/sys/net/ipv4/conf/$setting/rp_filter"
done
case $node in
  router | host-* | anchor-*) echo 1 > /proc/sys/net/ipv4/ip_forward ;;
esac
# A host must not tell guests' neighbours of ways around it.
case $node in
  host-* | anchor-*) for setting in all default; do echo 0 > "/proc/sys/net/ipv4/conf/$setting/send_redirects"; done ;;
esac

echo ready
exec sleep infinity > /dev/null 2>&1
