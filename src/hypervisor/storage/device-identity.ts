import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { deviceNumber } from "../../platform/device-number.ts";
import { namesIn } from "../../platform/files.ts";

/** What tells a block device from every other one, on whatever host it is seen. */
export interface DeviceIdentity {
  /** World-wide name, or another that only one device in the world has; null when the device has none. */
  id: string | null;
  /** Why there is none, or what was found instead. */
  why: string | null;
  size_bytes: number;
}

/** World-wide names of these kinds are given out by a registry, or random; others are made up of names by hand. */
const worldWide = /^(naa\.|eui\.|uuid\.)/i;

/**
 * Reads a block device's identity from sysfs (Documentation/ABI: `wwid`, `dm/uuid`, `rbd`). A device mapper's own
 * UUID is copied with the disks that it lies on, as by a template for hosts: it counts together with theirs.
 * @param number the device's number (`st_rdev`).
 */
export function deviceIdentity(number: bigint, sys = "/sys"): DeviceIdentity {
  const { major, minor } = deviceNumber(number);
  const folder = join(sys, "dev", "block", `${major}:${minor}`);
  try {
    const real = realpathSync(folder);
    const sectors = Number(textOf(join(real, "size")) ?? "0");
    return { ...identityOf(real, 0), size_bytes: sectors * 512 };
  } catch {
    return { id: null, why: "the kernel does not describe it", size_bytes: 0 };
  }
}

type Named = Pick<DeviceIdentity, "id" | "why">;

/** Devices may lie on devices; nobody stacks them higher. */
const mostLayers = 8;

function identityOf(folder: string, layer: number): Named {
  if (layer > mostLayers) return unknown("too many devices lie upon one another");
  const partition = textOf(join(folder, "partition"));
  if (partition !== null) return onto(identityOf(dirname(folder), layer + 1), `part ${partition}`);
  const mapped = textOf(join(folder, "dm", "uuid"));
  if (mapped !== null) return mappedIdentity(folder, mapped, layer);
  const rbd = rbdIdentity(folder);
  if (rbd !== null) return { id: rbd, why: null };
  const wwid = textOf(join(folder, "wwid")) ?? textOf(join(folder, "device", "wwid"));
  if (wwid === null) return unknown("it has no world-wide name");
  if (!worldWide.test(wwid)) return unknown(`its name ${wwid.slice(0, 80)} is not world-wide`);
  return { id: wwid.toLowerCase(), why: null };
}

function mappedIdentity(folder: string, uuid: string, layer: number): Named {
  if (uuid === "") return unknown("its device mapper has given it no UUID");
  const below = namesIn(join(folder, "slaves"))
    .slice(0, 64)
    .map((name) => identityOf(realpathSync(join(folder, "slaves", name)), layer + 1));
  const nameless = below.find(({ id }) => id === null);
  if (below.length === 0) return unknown("what it lies on is not known");
  if (nameless) return unknown(`of what it lies on ${nameless.why ?? "nothing is known"}`);
  const ids = [...new Set(below.map(({ id }) => id))].toSorted();
  return { id: `dm ${uuid} on ${ids.join(", ")}`.slice(0, 900), why: null };
}

/** Ceph's block devices say which image of which cluster they are. */
function rbdIdentity(folder: string): string | null {
  const number = /\/rbd(\d+)$/.exec(folder)?.[1];
  if (number === undefined) return null;
  const bus = join(folder, "device");
  const parts = ["cluster_fsid", "pool_id", "image_id", "current_snap"].map((name) =>
    textOf(join(bus, name)),
  );
  return parts.includes(null) ? null : `rbd ${parts.join("/")}`;
}

function onto({ id, why }: Named, suffix: string): Named {
  return { id: id === null ? null : `${id} ${suffix}`, why };
}

function unknown(why: string): Named {
  return { id: null, why };
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim().slice(0, 500);
  } catch {
    return null;
  }
}
