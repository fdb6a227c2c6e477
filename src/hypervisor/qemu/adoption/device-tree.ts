import { isObject } from "../qmp/messages.ts";

export type Execute = (command: string, args?: Record<string, unknown>) => Promise<unknown>;

export interface DeviceTree {
  /** One line a device: its path, kind, and where it is plugged in. The same in every process of one machine. */
  devices: string[];
  /** Of the NICs, in the order of their paths. */
  macAddresses: string[];
}

/** Most nodes that are looked at; a guest of 255 processors and many disks has some thousands. */
const mostNodes = 20_000;

/**
 * Walks QEMU's object tree below `/machine` (QAPI `qom-list`, `qom-get`). Memory regions, interrupt lines and the like
 * come and go with what the guest's drivers do, and are left out.
 */
export async function readDeviceTree(execute: Execute): Promise<DeviceTree> {
  const devices: string[] = [];
  // A virtio NIC's address is its transport's, and that of the device behind it.
  const macAddresses = new Set<string>();
  const pending = ["/machine"];
  for (let seen = 0; pending.length > 0 && seen < mostNodes; seen++) {
    const path = pending.pop() ?? "";
    const properties = propertiesOf(await execute("qom-list", { path }));
    const names = new Set(properties.map(({ name }) => name));
    const read = async (property: string) =>
      names.has(property) ? shown(await execute("qom-get", { path, property })) : null;
    const [bus, address, mac] = [await read("parent_bus"), await read("addr"), await read("mac")];
    const type = names.has("type") ? await read("type") : "";
    if (mac !== null) macAddresses.add(mac.toLowerCase());
    const place = [bus, address].filter((part) => part !== null).join(" ");
    devices.push(`${path} ${type}${place === "" ? "" : ` on ${place}`}`);
    const children = properties.filter(({ type: kind }) => isLasting(kind));
    // Turned round, so that the walk goes by name.
    for (const { name } of children.toSorted((one, other) => (one.name < other.name ? 1 : -1))) {
      pending.push(`${path}/${name}`);
    }
  }
  return { devices, macAddresses: [...macAddresses] };
}

/** What one tree has and the other has not, as lines a person can read; at most `most` of them. Pure. */
export function treeDifferences(
  here: readonly string[],
  there: readonly string[],
  most = 10,
): string[] {
  const [ours, theirs] = [new Set(here), new Set(there)];
  const missing = here.filter((line) => !theirs.has(line)).map((line) => `not there: ${line}`);
  const added = there.filter((line) => !ours.has(line)).map((line) => `only there: ${line}`);
  return [...missing, ...added].slice(0, most);
}

function isLasting(kind: string): boolean {
  const child = /^child<(.+)>$/.exec(kind)?.[1];
  return (
    child !== undefined && !/^(qemu:)?(memory-region|irq|iommu-memory-region|ram-block)/.test(child)
  );
}

function propertiesOf(reply: unknown): { name: string; type: string }[] {
  return (Array.isArray(reply) ? reply : [])
    .filter(isObject)
    .flatMap(({ name, type }) =>
      typeof name === "string" && typeof type === "string" ? [{ name, type }] : [],
    );
}

function shown(value: unknown): string {
  return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, 200);
}
