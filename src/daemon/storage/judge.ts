import { isCachedByClients } from "../../hypervisor/storage/filesystems.ts";
import type { Comparison } from "./compare.ts";
import {
  type Finding,
  fine,
  type Hosts,
  refuse,
  type StorageCode,
  warn,
  whatHelps,
} from "./finding.ts";
import { judgeDevice, judgeFile } from "./judge-sameness.ts";

/** Whether a guest's file may be used from the other host: there, of its kind, writable, the same, and cached safely. Pure. */
export function judge(comparison: Comparison, hosts: Hosts): Finding {
  const found =
    judgePresence(comparison, hosts) ??
    judgeCache(comparison) ??
    judgeSameness(comparison, hosts) ??
    judgePageCache(comparison);
  return found ?? fine(comparison.use, "seen alike by both hosts");
}

function judgePresence({ use, here, there }: Comparison, hosts: Hosts): Finding | null {
  const isBoot = use.kind === "boot";
  const code = (disk: StorageCode): StorageCode => (isBoot ? "SOJ_BOOT_FILE" : disk);
  const local = isBoot ? whatHelps.copyBootFile(hosts) : whatHelps.shareDisk(hosts);
  if (there.found === "missing") {
    return refuse(use, code("SOJ_DISK_NOT_SHARED"), `is not on ${hosts.there}`, local);
  }
  if (there.found === "unreadable") {
    const message = `cannot be read on ${hosts.there} (${there.reason})`;
    return refuse(use, code("SOJ_DISK_UNUSABLE"), message, whatHelps.mend(use, hosts.there));
  }
  if (here.found === "missing" || here.found === "unreadable") {
    const message = `is not to be found on ${hosts.here} any more (${here.reason}), only on ${hosts.there}`;
    // What it has booted from it holds in memory until it boots again.
    return isBoot
      ? warn(use, "SOJ_BOOT_FILE", message, `put it back on ${hosts.here}`)
      : refuse(use, "SOJ_DISK_NOT_SHARED", message, whatHelps.shareDisk(hosts));
  }
  if (here.found !== there.found) {
    const message = `is a ${here.found} on ${hosts.here} and a ${there.found} on ${hosts.there}`;
    return refuse(use, code("SOJ_DISK_NOT_SHARED"), message, local);
  }
  if (here.found === "other") {
    const message = "is neither a file nor a block device";
    return refuse(use, code("SOJ_DISK_UNUSABLE"), message, "correct the path");
  }
  if (!use.readOnly && !there.writable) {
    const message = `cannot be written on ${hosts.there}`;
    return refuse(use, "SOJ_DISK_UNUSABLE", message, whatHelps.mend(use, hosts.there));
  }
  return null;
}

/** QEMU hands over what it has written by flushing it; its own manual calls the mode unsafe. */
function judgeCache({ use }: Comparison): Finding | null {
  if (use.readOnly || !use.ignoresFlush) return null;
  const message =
    "is open with cache mode unsafe: what the guest writes need not be on the storage";
  return refuse(use, "SOJ_DISK_CACHE", message, 'start the guest with `cache = "none"`');
}

function judgeSameness(comparison: Comparison, hosts: Hosts): Finding | null {
  const { use, here } = comparison;
  if (use.isVouchedFor) return fine(use, "vouched for (shared = true)");
  return here.found === "block" ? judgeDevice(comparison, hosts) : judgeFile(comparison, hosts);
}

/** QEMU drops the destination's cached pages (`drop-cache`), but not a file's length that the host remembers. */
function judgePageCache({ use, here, there }: Comparison): Finding | null {
  if (use.readOnly || !use.usesPageCache || use.kind === "boot") return null;
  const cached = [here, there].find(({ filesystem }) => isCachedByClients(filesystem));
  if (cached === undefined) return null;
  const message = `is on ${cached.filesystem} and goes through the hosts' page caches, which do not know of each other`;
  return warn(
    use,
    "SOJ_DISK_CACHE",
    message,
    'start the guest with `cache = "none"` for this disk',
  );
}
