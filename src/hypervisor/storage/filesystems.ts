/** Magic numbers of statfs(2) (linux/magic.h, and the file systems' own sources). */
const names = new Map<number, string>([
  [0x6969, "nfs"],
  [0xff534d42, "cifs"],
  [0xfe534d42, "smb2"],
  [0x65735546, "fuse"],
  [0x01021997, "9p"],
  [0x6a656a63, "virtiofs"],
  [0x00c36400, "ceph"],
  [0x7461636f, "ocfs2"],
  [0x01161970, "gfs2"],
  [0x19830326, "beegfs"],
  [0x47504653, "gpfs"],
  [0x0bd00bd0, "lustre"],
  [0x794c7630, "overlay"],
  [0x01021994, "tmpfs"],
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x2fc12fc1, "zfs"],
  [0xf2f52010, "f2fs"],
]);

/** Of these another host may change a file's length or content behind the local page cache. */
const clientCached = new Set(["nfs", "cifs", "smb2", "fuse", "9p", "virtiofs", "beegfs"]);

/** The name of a file system's type by statfs(2)'s `f_type`. */
export function filesystemName(type: number): string {
  // Some systems hand it out as a signed number of 32 bits.
  const magic = type < 0 ? type + 2 ** 32 : type;
  return names.get(magic) ?? `0x${magic.toString(16)}`;
}

/** Whether hosts cache its files without telling one another of changes at once. */
export function isCachedByClients(filesystem: string): boolean {
  return clientCached.has(filesystem);
}
