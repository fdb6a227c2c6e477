import type { Action } from "./actions.ts";
import type { DesiredState } from "./desired.ts";
import { bridgeMac } from "./diff-links.ts";
import { missingDevice } from "./failures.ts";
import type { KernelState, LoadedTable } from "./kernel-state.ts";
import { type RenderedTable, removeTableText, renderTables } from "./ruleset.ts";

/**
 * One atomic load for both nftables tables, or nothing when they are loaded as wanted.
 * @param armed addresses whose copies are on and stay on across the load.
 * @throws SojournError `SOJ_ROUTING_NO_DEVICE` when a bridge is missing whose MAC address is needed.
 */
export function changeTables(
  kernel: KernelState,
  desired: DesiredState,
  armed: ReadonlySet<string>,
): Action[] {
  const macOf = (bridge: string) => {
    const ours = desired.bridges.find(({ name }) => name === bridge);
    if (ours !== undefined) return bridgeMac(ours);
    const mac = kernel.links.find(({ name }) => name === bridge)?.mac ?? null;
    if (mac === null) throw missingDevice(bridge, "bridge");
    return mac;
  };
  const wanted = renderTables(desired.filter, macOf, armed);
  const isIpRight = isLoaded(kernel.tables.ip, wanted.ip);
  const isBridgeRight = isLoaded(kernel.tables.bridge, wanted.bridge);
  if (isIpRight && isBridgeRight) return [];
  const isAny = wanted.ip !== null || wanted.bridge !== null;
  const forward = [
    ...(isIpRight ? [] : [removeTableText("ip"), wanted.ip?.text ?? ""]),
    ...(isBridgeRight ? [] : [removeTableText("bridge"), wanted.bridge?.text ?? ""]),
  ];
  const back = [
    ...(isIpRight ? [] : [removeTableText("ip"), kernel.tables.ip?.listing ?? ""]),
    ...(isBridgeRight ? [] : [removeTableText("bridge"), kernel.tables.bridge?.listing ?? ""]),
  ];
  return [
    {
      effect: isAny ? "make" : "remove",
      change: {
        kind: "load-tables",
        ip: wanted.ip?.digest ?? null,
        bridge: wanted.bridge?.digest ?? null,
      },
      run: { kind: "ruleset", text: forward.join("") },
      undo: [{ kind: "ruleset", text: back.join("") }],
    },
  ];
}

function isLoaded(loaded: LoadedTable | null, wanted: RenderedTable | null): boolean {
  if (loaded === null || wanted === null) return loaded === null && wanted === null;
  return loaded.digest === wanted.digest;
}
