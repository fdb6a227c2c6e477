import { incomingTable, mainTable, sourceTableBase } from "../../../src/routing/desired.ts";
import type { HostName } from "../schedule.ts";
import { type FakeKernel, remoteOf, routeKey } from "./fake-kernel.ts";
import { hostFacts } from "./guest.ts";

const [home, address] = ["host-a" as HostName, "10.1.0.10"];
const prefix = `${address}/32`;

/** Home, the host that the guest has left, and the one where it is; home again for one that comes home. */
const longestWay = 4;

type Kernels = (host: HostName) => FakeKernel | undefined;

/**
 * Whether a packet that comes to the guest's home for the guest, or a copy of it, is given to the guest's tap at `place`; if
 * not, why. By routes, copies, tunnels and filters as they are at this instant.
 */
export function lossToGuest(
  kernels: Kernels,
  place: HostName,
  here = home,
  from: HostName | null = null,
  hops = 0,
): string | null {
  const kernel = kernels(here);
  if (kernel === undefined || hops > longestWay) return "they go round in circles";
  const device = deviceFor(kernel, here, from);
  if (device === null) return `${here} has no route to the guest`;
  const losses: string[] = [];
  for (const out of [device, ...copiesOf(kernel)]) {
    const loss = lossBehind(kernels, place, here, out, hops);
    if (loss === null) return null;
    losses.push(loss);
  }
  return losses.join("; ");
}

function lossBehind(
  kernels: Kernels,
  place: HostName,
  here: HostName,
  device: string,
  hops: number,
): string | null {
  if (!device.startsWith("tun-")) return here === place ? null : `they are given to ${here}`;
  const next = hostAt(remoteOf(device));
  if (kernels(here)?.tunnels.has(device) !== true) return `${here} has no tunnel to ${next}`;
  const refusal = refusalAt(kernels(next), next, here, "to");
  return refusal ?? lossToGuest(kernels, place, next, here, hops + 1);
}

/** Where packets are sent too, while copies are armed. */
function copiesOf({ armed, desired }: FakeKernel): string[] {
  if (!armed.has(address)) return [];
  return desired.filter.copies
    .filter((copy) => copy.address === address)
    .map(({ device }) => device);
}

/** Why what the guest sends at `place` does not come through its home; null when it does. */
export function lossFromGuest(kernels: Kernels, place: HostName): string | null {
  if (place === home) return null;
  const kernel = kernels(place);
  const rule = kernel?.desired.rules.find(({ from }) => from === prefix);
  const table = rule?.table ?? sourceTableBase;
  const device = kernel?.routes.get(routeKey({ table, prefix: "default" }))?.device ?? null;
  if (rule === undefined || device === null) return `${place} has no way home for the guest`;
  const next = hostAt(remoteOf(device));
  if (!kernel?.tunnels.has(device)) return `${place} has no tunnel to ${next}`;
  return next === home
    ? refusalAt(kernels(home), home, place, "from")
    : `${place} sends to ${next}`;
}

/** Packets of a tunnel are looked up for a guest that is still to run first (`rulePriorities`). */
function deviceFor(kernel: FakeKernel, here: HostName, from: HostName | null): string | null {
  if (from !== null) {
    const iif = tunnelTo(from);
    const isLed = kernel.desired.rules.some(
      (rule) => rule.table === incomingTable && rule.iif === iif,
    );
    const incoming = kernel.routes.get(routeKey({ table: incomingTable, prefix }));
    if (isLed && incoming?.device) return incoming.device;
  }
  const main = kernel.routes.get(routeKey({ table: mainTable, prefix }));
  if (main !== undefined) return main.device;
  return here === home ? (hostFacts[home].guestNetworks[0]?.bridge ?? null) : null;
}

function refusalAt(
  kernel: FakeKernel | undefined,
  here: HostName,
  from: HostName,
  direction: "from" | "to",
): string | null {
  const device = tunnelTo(from);
  if (!kernel?.tunnels.has(device)) return `${here} has no tunnel to ${from}`;
  const guests = kernel.desired.filter.tunnelGuests.filter((one) => one.device === device);
  if (guests.some((one) => one[direction].includes(address))) return null;
  return `${here} refuses what comes from ${from}`;
}

function tunnelTo(host: HostName): string {
  return `tun-${hostFacts[host].underlayAddress}`;
}

function hostAt(underlayAddress: string): HostName {
  const found = Object.values(hostFacts).find((facts) => facts.underlayAddress === underlayAddress);
  return (found?.name ?? home) as HostName;
}
