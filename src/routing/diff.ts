import type { Action } from "./actions.ts";
import type { DesiredState } from "./desired.ts";
import { makeLinks, removeLinks } from "./diff-links.ts";
import { makeFdb, makeNeighbours, removeFdb, removeNeighbours } from "./diff-neighbours.ts";
import { makeRoutes, makeRules, removeRoutes, removeRules } from "./diff-routes.ts";
import { makeSysctls, restoreSysctls } from "./diff-sysctls.ts";
import { changeTables } from "./diff-tables.ts";
import type { KernelState } from "./kernel-state.ts";
import type { SysctlMemory } from "./sysctl-memory.ts";

/**
 * The actions that lead from the kernel's state to the desired (and normalised) one: first what is missing,
 * in the order of dependence, then, in reverse, what is ours and not wanted. Pure.
 * @throws SojournError `SOJ_ROUTING_FOREIGN`, `SOJ_ROUTING_NO_DEVICE`.
 */
export function diff(
  kernel: KernelState,
  desired: DesiredState,
  memory: SysctlMemory = new Map(),
  armed: ReadonlySet<string> = new Set(),
): Action[] {
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
