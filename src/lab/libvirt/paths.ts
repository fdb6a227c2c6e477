import { join } from "node:path";
import { labPaths } from "../layout.ts";

/** Folders that each host with a libvirtd covers with its own; they have to exist on the machine itself. */
export const libvirtMountPoints = [
  "/etc/libvirt",
  "/var/lib/libvirt",
  "/var/cache/libvirt",
  "/var/log/libvirt",
];

/** Where a host finds its certificates, in its own view of the file system; names as `pkipath` wants them. */
export const libvirtPkiFolder = "/etc/libvirt/pki";

/** libvirtd's local socket, in the host's own view. */
export const libvirtSocket = "/run/libvirt/libvirt-sock";

/** Files of a host's libvirtd; the same paths on the machine and inside each node. */
export function libvirtPaths(lab: string, host: string) {
  const { disks, node } = labPaths(lab);
  const folder = join(node(host).folder, "libvirt");
  return {
    folder,
    /** What the host sees as /etc/libvirt. */
    etc: join(folder, "etc"),
    /** What the host sees as /etc/hosts, /etc/passwd and /etc/group. */
    hosts: join(folder, "hosts"),
    passwd: join(folder, "passwd"),
    group: join(folder, "group"),
    /** Holds what the host sees as /var/lib/libvirt, /var/cache/libvirt and /var/log/libvirt. */
    state: join(disks, `libvirt-${host}`),
    process: join(folder, "libvirtd.json"),
    log: join(folder, "libvirtd.log"),
    domain: (name: string) => join(folder, `${name}.xml`),
  };
}
