import {
  type DesiredState,
  mainTable,
  redirectMark,
  renumberedMark,
  rulePriorities,
  sourceTableBase,
} from "../routing/desired.ts";
import type { TunnelInterface } from "../tunnels/tunnel.ts";
import { promptProxy, sysctl } from "./desired-parts.ts";
import { attachmentOf, type HostFacts, homeBridge, plainRoute } from "./network.ts";
import type { GuestRecord } from "./records.ts";

const itsOwn = { value: renumberedMark, mask: renumberedMark };
const direct = { value: 0, mask: redirectMark };

/**
 * Adds the guest's address of this host's own subnet. Whoever looks for it is answered once the barrier is over, when it is
 * known to be free; the rest is made at once, since nothing may be loaded while the guest stands.
 */
export function addRenumbering(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  hosting: NonNullable<GuestRecord["hosting"]> & { renumbered: string },
  home: TunnelInterface | null,
): void {
  const { address, bridge, tap } = attachmentOf(host, record);
  const retired = hosting.retired === true;
  const table = sourceTableBase + hosting.tableIndex;
  const guest = `${address}/32`;
  state.filter.renumbered.push({
    ...{ guest: address, address: hosting.renumbered, bridge, tap, retired },
    tunnels: home === null ? [] : [home.interfaceName],
  });
  // Where this leads nowhere, the way through home is the next.
  state.rules.push({
    ...{ priority: rulePriorities.direct, table: mainTable },
    ...{ iif: bridge, from: guest, to: null, mark: direct },
  });
  // Whatever `main` knows of the old address, if anything.
  state.rules.push({
    ...{ priority: rulePriorities.renumbered, table },
    ...{ iif: null, from: null, to: guest, mark: itsOwn },
  });
  state.sysctls.push(sysctl(bridge, "src_valid_mark", "1"));
  if (hosting.stage === "barrier") return;
  const subnetBridge = homeBridge(host, hosting.renumbered);
  // ARP is answered for what is behind another device.
  state.routes.push(plainRoute(mainTable, `${hosting.renumbered}/32`, bridge));
  state.neighbours.push({ kind: "proxy", device: subnetBridge, address: hosting.renumbered });
  state.sysctls.push(promptProxy(subnetBridge));
}
