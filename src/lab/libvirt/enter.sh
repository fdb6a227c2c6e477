#!/bin/sh
# Gives a lab host, in whose namespaces this runs, libvirt folders and a table of names of its own. Does nothing
# where it has them.
# usage: enter.sh FOLDER STATE_FOLDER
set -eu
folder=$1 state=$2

cover() {
  [ "$1" -ef "$2" ] || mount --no-mtab --bind "$1" "$2"
}

cover "$folder/etc" /etc/libvirt
# libvirt looks up every host's name, its own too; a name that nobody knows costs it seconds each time.
cover "$folder/hosts" /etc/hosts
cover "$folder/passwd" /etc/passwd
cover "$folder/group" /etc/group
for name in lib cache log; do
  mkdir -p "$state/$name"
  cover "$state/$name" "/var/$name/libvirt"
done
