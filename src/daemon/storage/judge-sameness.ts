import type { Comparison, MarkerEvidence } from "./compare.ts";
import { type Finding, fine, type Hosts, refuse, warn, whatHelps } from "./finding.ts";

/** Whether two block devices are one; null when they are. */
export function judgeDevice({ use, here, there }: Comparison, hosts: Hosts): Finding | null {
  const [one, other] = [here.device, there.device];
  const isNamed = one?.id != null && other?.id != null;
  const isSameSize = one?.size_bytes === other?.size_bytes;
  if (isSameSize && (!isNamed || one?.id === other?.id)) {
    if (isNamed) return null;
    const why = one?.id == null ? one?.why : other?.why;
    const host = one?.id == null ? hosts.here : hosts.there;
    const message = `cannot be told from another device of its size on ${host}: ${why}`;
    return refuse(use, "SOJ_DISK_UNPROVEN", message, whatHelps.vouch);
  }
  const names = isSameSize
    ? `${one?.id} and ${other?.id}`
    : `${one?.size_bytes} and ${other?.size_bytes} bytes`;
  const message = `is another device on ${hosts.there} than on ${hosts.here}: ${names}`;
  return refuse(use, "SOJ_DISK_NOT_SHARED", message, whatHelps.shareDisk(hosts));
}

/** Whether two files are one, or as good as one for somebody who only reads; null when they are. */
export function judgeFile(comparison: Comparison, hosts: Hosts): Finding | null {
  const { use, there, marker } = comparison;
  if (isSameFolder(comparison)) return judgeInFolder(comparison, hosts);
  if (use.readOnly) return judgeCopy(comparison, hosts);
  if (marker === null || marker.unplaced !== null) {
    const message = `cannot be proved to be the same on ${hosts.there}: ${hosts.here} may not write into its folder (${marker?.unplaced ?? "it was not tried"})`;
    const hint = `let root of ${hosts.here} write there; or ${whatHelps.vouch}`;
    return refuse(use, "SOJ_DISK_UNPROVEN", message, hint);
  }
  if (there.marker?.answer === "failed" && there.marker.seen) {
    const message = `cannot be proved to be the same on ${hosts.there}, which failed to write into its folder`;
    return refuse(use, "SOJ_DISK_UNPROVEN", message, whatHelps.mend(use, hosts.there));
  }
  return refuse(
    use,
    "SOJ_DISK_NOT_SHARED",
    notShared(comparison, hosts),
    whatHelps.shareDisk(hosts),
  );
}

/** What one host writes the other one sees, both ways where both may write. */
function isSameFolder({ there, marker }: Comparison): boolean {
  const sight = there.marker;
  if (!sight?.seen || marker === null) return false;
  return marker.isAnswered || sight.answer === "denied" || sight.answer === "read-only";
}

function notShared({ here, there }: Comparison, { here: source, there: other }: Hosts): string {
  if (there.marker?.seen) {
    return `is a view of ${source}'s on ${other} (${there.filesystem}): what ${other} writes does not get to ${source}`;
  }
  return `is on both hosts, but not the same: what ${source} writes beside it (${here.filesystem}) is not seen on ${other} (${there.filesystem})`;
}

/** The folder is shared. Is it the same file of it, and is it locked for both? */
function judgeInFolder(comparison: Comparison, hosts: Hosts): Finding | null {
  const { use, here, there, marker } = comparison;
  if (here.inode !== there.inode) {
    if (use.readOnly) return judgeCopy(comparison, hosts);
    const message = `is in a folder that both hosts share, but is another file on ${hosts.there} (inode ${there.inode}, on ${hosts.here} ${here.inode})`;
    const hint = `is something mounted over it? findmnt ${use.path}; ${whatHelps.vouch}`;
    return refuse(use, "SOJ_DISK_NOT_SHARED", message, hint);
  }
  return use.readOnly ? null : judgeLock(comparison, marker, hosts);
}

function judgeLock(
  { use, here, there }: Comparison,
  marker: MarkerEvidence | null,
  hosts: Hosts,
): Finding | null {
  const sight = there.marker?.lock;
  if (marker?.isLockedHere && sight === "held") return null;
  const hint = `mount it with locks that reach its server (for NFS without nolock or local_lock; NFSv3: rpc.statd on both hosts), or ${whatHelps.vouch}`;
  if (!marker?.isLockedHere || sight === "broken") {
    const [host, { filesystem }] = marker?.isLockedHere ? [hosts.there, there] : [hosts.here, here];
    const message = `is on storage where ${host} can lock nothing (${filesystem}): no lock would keep a second copy of the guest off it`;
    return refuse(use, "SOJ_DISK_LOCKS", message, hint);
  }
  if (sight === "free") {
    const message = `is shared, but ${hosts.there} does not see ${hosts.here}'s locks on it (${there.filesystem}): no lock would keep a second copy of the guest off it`;
    return refuse(use, "SOJ_DISK_LOCKS", message, hint);
  }
  const message = `is shared, but whether ${hosts.there} sees ${hosts.here}'s locks on it is not known: it may not write into the folder`;
  return warn(use, "SOJ_DISK_LOCKS", message, `let root of ${hosts.there} write there`);
}

/** What is only read may be an equal copy. */
function judgeCopy({ use, here, there, content }: Comparison, hosts: Hosts): Finding | null {
  const isBoot = use.kind === "boot";
  const helps = isBoot ? whatHelps.copyBootFile(hosts) : whatHelps.shareDisk(hosts);
  const code = isBoot ? "SOJ_BOOT_FILE" : "SOJ_DISK_NOT_SHARED";
  if (here.size_bytes !== there.size_bytes) {
    const sizes = `${here.size_bytes} bytes on ${hosts.here}, ${there.size_bytes} on ${hosts.there}`;
    return refuse(use, code, `is not the same: ${sizes}`, helps);
  }
  if (content?.isSame === true) return fine(use, "an equal copy");
  if (content?.isSame === false) {
    return refuse(use, code, "has another content on each host, though the same size", helps);
  }
  const message = `cannot be compared: ${content?.reason ?? "it was not read"}`;
  if (isBoot) return warn(use, code, message, helps);
  return refuse(use, "SOJ_DISK_UNPROVEN", message, whatHelps.vouch);
}
