import type { Action } from "./actions.ts";
import type { DesiredState, Neighbour } from "./desired.ts";
import { makeLinks, removeLinks } from "./diff-links.ts";
import { makeFdb, makeNeighbours, removeFdb, removeNeighbours } from "./diff-neighbours.ts";
import { makeRoutes, makeRules, removeRoutes, removeRules } from "./diff-routes.ts";
import { makeSysctls, restoreSysctls } from "./diff-sysctls.ts";
import { changeTables } from "./diff-tables.ts";
import { missingNextHop } from "./failures.ts";
import type { KernelState } from "./kernel-state.ts";
import type { SysctlMemory } from "./sysctl-memory.ts";

/**
 * The actions that lead from the kernel's state to the desired (and normalised) one: first what is missing,
 * in the order of dependence, then, in reverse, what is ours and not wanted. Pure.
 * @throws SojournError `SOJ_ROUTING_FOREIGN`, `SOJ_ROUTING_NO_DEVICE`, `SOJ_ROUTING_NO_NEXT_HOP`.
 */
export function diff(
  kernel: KernelState,
  wanted: DesiredState,
  memory: SysctlMemory = new Map(),
  armed: ReadonlySet<string> = new Set(),
): Action[] {
  const desired = withCopyNeighbours(kernel, wanted);
  const tables = changeTables(kernel, desired, armed);
  const goingLinks = removeLinks(kernel, desired);
  const goingNames = new Set(
    goingLinks.flatMap(({ change }) => (change.kind === "remove-link" ? [change.name] : [])),
  );
  return [
    ...makeLinks(kernel, desired),
    ...makeSysctls(kernel, desired, memory),
    ...tables.filter(({ effect }) => effect === "make"),
    ...makeNeighbours(kernel, desired),
    ...makeFdb(kernel, desired),
    ...makeRoutes(kernel, desired),
    ...makeRules(kernel, desired),
    ...removeRules(kernel, desired),
    ...removeRoutes(kernel, desired),
    ...removeFdb(kernel, desired),
    ...removeNeighbours(kernel, desired),
    ...tables.filter(({ effect }) => effect === "remove"),
    ...restoreSysctls(kernel, desired, memory, goingNames),
    ...goingLinks,
  ];
}

/**
 * A copy (`nft dup`) is sent without asking a route, so its link-layer address is looked up under the guest's
 * own address: that gets the next hop's MAC address as a permanent neighbour.
 */
function withCopyNeighbours(kernel: KernelState, desired: DesiredState): DesiredState {
  const isKnown = (device: string, address: string) =>
    desired.neighbours.some(
      (other) => other.kind === "permanent" && other.device === device && other.address === address,
    );
  const derived = desired.filter.copies
    .filter(({ address, device, gateway }) => gateway !== address && !isKnown(device, address))
    .map(({ address, device, gateway }): Neighbour => {
      const nextHop = kernel.neighbours.find(
        (other) => other.permanent && other.device === device && other.address === gateway,
      );
      if (!nextHop?.mac) throw missingNextHop(gateway, device);
      return { kind: "permanent", device, address, mac: nextHop.mac };
    });
  const once = new Map(derived.map((neighbour) => [JSON.stringify(neighbour), neighbour]));
  return { ...desired, neighbours: [...desired.neighbours, ...once.values()] };
}
