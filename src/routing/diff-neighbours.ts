import { type Action, bridge, ip, type Operation } from "./actions.ts";
import {
  type DesiredState,
  type FdbEntry,
  type Neighbour,
  ourProtocol,
  temporaryProtocol,
} from "./desired.ts";
import { foreignObject } from "./failures.ts";
import type { KernelFdbEntry, KernelNeighbour, KernelState } from "./kernel-state.ts";

const ownDevice = /^sj[bp][0-9a-f]{9}$/;
const ownTap = /^sjp[0-9a-f]{9}$/;

/** @throws SojournError `SOJ_ROUTING_FOREIGN` for a permanent or proxy entry of somebody else's. */
export function makeNeighbours(kernel: KernelState, desired: DesiredState): Action[] {
  return desired.neighbours.flatMap((neighbour) => {
    const old = kernel.neighbours.find((other) => isConfigured(other) && isSame(neighbour, other));
    if (old !== undefined && !isOurs(old)) {
      throw foreignObject(
        `neighbour ${old.proxy ? "proxy " : ""}${old.address} dev ${old.device} protocol ${old.protocol}`,
      );
    }
    const isRight = neighbour.kind === "proxy" || old?.mac === neighbour.mac;
    if (old?.protocol === ourProtocol && isRight) return [];
    return [
      {
        effect: "make" as const,
        change: { kind: "set-neighbour" as const, neighbour },
        run: setLine(neighbour),
        undo: [old === undefined ? deleteLine(neighbour) : setLine(asDesired(old))],
      },
    ];
  });
}

/** Permanent and proxy entries of ours that are not wanted. */
export function removeNeighbours(kernel: KernelState, desired: DesiredState): Action[] {
  const isWanted = (entry: KernelNeighbour) =>
    desired.neighbours.some((other) => isSame(other, entry));
  return kernel.neighbours
    .filter((entry) => isConfigured(entry) && isOurs(entry) && !isWanted(entry))
    .map((entry) => {
      const neighbour = asDesired(entry);
      return {
        effect: "remove",
        change: { kind: "remove-neighbour", neighbour },
        run: deleteLine(neighbour),
        undo: [setLine(neighbour)],
      };
    });
}

/** @throws SojournError `SOJ_ROUTING_FOREIGN` for a static entry of the same bridge at somebody else's port. */
export function makeFdb(kernel: KernelState, desired: DesiredState): Action[] {
  return desired.fdb.flatMap((entry) => {
    if (kernel.fdb.some((other) => other.kind === "static" && isSameEntry(entry, other))) return [];
    const old = elsewhere(kernel, desired, entry);
    if (old !== undefined && !ownTap.test(old.device)) {
      throw foreignObject(`bridge entry ${old.mac} dev ${old.device} master static`);
    }
    return [
      {
        effect: "make" as const,
        change: { kind: "set-fdb" as const, entry },
        run: fdbLine("replace", entry),
        undo: [old === undefined ? fdbLine("del", entry) : fdbLine("replace", old)],
      },
    ];
  });
}

/** Static entries at taps of ours that are not wanted and were not moved to another port. */
export function removeFdb(kernel: KernelState, desired: DesiredState): Action[] {
  const moved = desired.fdb.map((entry) => elsewhere(kernel, desired, entry));
  const unwanted = kernel.fdb.filter(
    (entry) =>
      entry.kind === "static" &&
      ownTap.test(entry.device) &&
      !desired.fdb.some((other) => isSameEntry(other, entry)) &&
      !moved.includes(entry),
  );
  const once = new Map(unwanted.map((entry) => [`${entry.device} ${entry.mac}`, entry]));
  return [...once.values()].map((entry) => ({
    effect: "remove",
    change: { kind: "remove-fdb", entry: { device: entry.device, mac: entry.mac } },
    run: fdbLine("del", entry),
    undo: [fdbLine("replace", entry)],
  }));
}

/** A static entry for the same MAC address on the bridge that the desired entry's tap is or will be on. */
function elsewhere(
  kernel: KernelState,
  desired: DesiredState,
  entry: FdbEntry,
): KernelFdbEntry | undefined {
  const tap = desired.taps.find(({ name }) => name === entry.device);
  const onBridge = tap?.bridge ?? kernel.links.find(({ name }) => name === entry.device)?.master;
  return kernel.fdb.find(
    (other) =>
      other.kind === "static" &&
      other.bridge === onBridge &&
      other.mac === entry.mac &&
      other.device !== entry.device,
  );
}

/** Entries that the kernel learned by itself are nobody's. */
function isConfigured(entry: KernelNeighbour): boolean {
  return entry.proxy || entry.permanent;
}

function isOurs(entry: KernelNeighbour): boolean {
  if (entry.protocol === ourProtocol) return true;
  return entry.protocol !== temporaryProtocol && ownDevice.test(entry.device);
}

function isSame(a: Neighbour, b: KernelNeighbour): boolean {
  return a.device === b.device && a.address === b.address && (a.kind === "proxy") === b.proxy;
}

function isSameEntry(a: FdbEntry, b: FdbEntry): boolean {
  return a.device === b.device && a.mac === b.mac;
}

function asDesired(entry: KernelNeighbour): Neighbour {
  const { device, address } = entry;
  if (entry.proxy) return { kind: "proxy", device, address };
  return { kind: "permanent", device, address, mac: entry.mac ?? "00:00:00:00:00:00" };
}

function setLine(neighbour: Neighbour): Operation {
  const { address, device } = neighbour;
  const mark = ["protocol", String(ourProtocol)];
  return neighbour.kind === "proxy"
    ? ip("neigh", "replace", "proxy", address, "dev", device, ...mark)
    : ip(
        ...["neigh", "replace", address, "lladdr", neighbour.mac, "dev", device],
        ...["nud", "permanent", ...mark],
      );
}

function deleteLine({ kind, address, device }: Neighbour): Operation {
  return ip("neigh", "del", ...(kind === "proxy" ? ["proxy"] : []), address, "dev", device);
}

function fdbLine(verb: "replace" | "del", { mac, device }: FdbEntry): Operation {
  return bridge("fdb", verb, mac, "dev", device, "master", "static");
}
