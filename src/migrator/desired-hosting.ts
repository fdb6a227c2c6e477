import {
  type DesiredState,
  incomingTable,
  mainTable,
  type Route,
  type Rule,
  rulePriorities,
  sourceTableBase,
} from "../routing/desired.ts";
import type { TunnelInterface } from "../tunnels/tunnel.ts";
import { addLan, addWayToLan } from "./desired-lan.ts";
import { promptProxy, sizeLimit, sysctl, type TunnelLookup, tunnelGuest } from "./desired-parts.ts";
import { addRenumbering } from "./desired-renumbering.ts";
import {
  attachmentOf,
  deliveryRoute,
  type HostFacts,
  plainRoute,
  throughTunnel,
} from "./network.ts";
import type { GuestRecord } from "./records.ts";
import { networkOf } from "./subnet.ts";

/** Packets that a guest's tap holds at least while QEMU does not read it; more where more are expected. */
const tapQueueLength = 4096;

type Hosting = NonNullable<GuestRecord["hosting"]>;

/** Adds what a guest needs whose process is on this host, or about to be. @throws Error for one that is away without a way home. */
export function addHosting(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  hosting: NonNullable<GuestRecord["hosting"]>,
  tunnelOf: TunnelLookup,
): void {
  const { address, mac, bridge, tap, atHome } = attachmentOf(host, record);
  if (hosting.tap === undefined) {
    state.taps.push({ name: tap, bridge, txQueueLength: tapQueueLength });
  }
  const runsHere = hosting.stage === "landed" || hosting.stage === "running";
  const settledAtHome = atHome && hosting.stage === "running";
  if (!settledAtHome) {
    state.neighbours.push({ kind: "permanent", device: bridge, address, mac });
    if (hosting.stage !== "barrier") state.fdb.push({ device: tap, mac });
  }
  if (atHome) addLan(state, host, record);
  if (hosting.sourceTunnel !== null) {
    const tunnel = tunnelOf(hosting.sourceTunnel);
    if (atHome) addWayToLan(state, host, record, tunnel);
    // At home the last that the guest sent at its source comes by the same tunnel, also when it runs here already.
    const direction = atHome ? "both" : "to";
    state.filter.tunnelGuests.push(tunnelGuest(direction, address, tunnel));
    // Home is another than the source: its barrier comes by its own tunnel.
    const ways = [
      hosting.sourceTunnel,
      ...(hosting.homeTunnel === null ? [] : [hosting.homeTunnel]),
    ];
    for (const { interfaceName: iif } of new Set(ways.map(tunnelOf))) {
      const priority = rulePriorities.incoming;
      state.rules.push({ priority, table: incomingTable, iif, from: null, to: null });
    }
    state.routes.push(plainRoute(incomingTable, `${address}/32`, bridge));
  }
  if (atHome) {
    // While the redirect's route still points at the tunnel, a strict filter would drop the guest's own packets.
    if (!settledAtHome) state.sysctls.push(sysctl(bridge, "rp_filter", "2"));
    return;
  }
  const isRetired = hosting.retired === true;
  if (hosting.homeTunnel === null && !isRetired) {
    throw new Error(`${record.guest} is away without a way home`);
  }
  const home = hosting.homeTunnel === null ? null : tunnelOf(hosting.homeTunnel);
  if (hosting.handover !== undefined) {
    state.filter.tunnelGuests.push(tunnelGuest("to", address, tunnelOf(hosting.handover.tunnel)));
  }
  addAway(state, host, record, hosting, home);
  // A renumbered guest's old address may be another's once its redirect is retired.
  const isReachedByOldAddress = !(isRetired && hosting.renumbered !== undefined);
  if (runsHere && record.outgoing === null && isReachedByOldAddress) {
    state.routes.push(deliveryRoute(address, bridge));
  }
}

/** Source routing and the gateway's stand-in for a guest whose subnet is another host's. */
function addAway(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  hosting: Hosting,
  home: TunnelInterface | null,
): void {
  const { address, bridge, tap } = attachmentOf(host, record);
  const table = sourceTableBase + hosting.tableIndex;
  // With the MAC address of home's bridge: ARP entries of the guest stay true when it leaves and when it comes back.
  state.bridges.push({ name: bridge, mac: record.home.gatewayMac });
  state.filter.gatewayFrames.push({ tap, bridge });
  state.rules.push({
    priority: rulePriorities.source,
    table,
    iif: bridge,
    from: `${address}/32`,
    to: null,
  });
  // Of a retired redirect, sessions with siblings go on that have not passed home.
  const hasSiblings = hosting.retired !== true || hosting.renumbered !== undefined;
  if (hasSiblings) state.rules.push(siblingRule(record, address, bridge));
  const elsewhere = host.guestNetworks.map(({ subnet }) => subnet);
  for (const subnet of elsewhere) state.routes.push(routeWithoutDevice("throw", table, subnet));
  // Names the guest's own bridge, so that proxy ARP never answers the guest's probes for its own address.
  state.routes.push(plainRoute(table, `${address}/32`, bridge));
  if (home === null) addNoWayHome(state, host, record, table);
  else {
    state.filter.tunnelGuests.push(tunnelGuest("to", address, home));
    const redirectedOnly = hosting.renumbered !== undefined;
    const limit = { ...sizeLimit("from", address, home), elsewhere, redirectedOnly };
    state.filter.sizeLimits.push(limit);
    state.routes.push(throughTunnel(table, "default", home));
  }
  state.sysctls.push(
    sysctl(bridge, "forwarding", "1"),
    sysctl(bridge, "proxy_arp", "1"),
    sysctl(bridge, "rp_filter", "2"),
    sysctl(bridge, "send_redirects", "0"),
    promptProxy(bridge),
  );
  if (hosting.renumbered !== undefined) {
    addRenumbering(state, host, record, { ...hosting, renumbered: hosting.renumbered }, home);
  }
}

/**
 * Of the guest's own subnet, those that are here too, or on their way from or to here, are reached as this host itself
 * reaches them: the one route that follows them in a switchover counts for their siblings. On the way through home, what
 * a sibling sends to one that returns there would be taken for what its source leads there, and delivered too early.
 */
function siblingRule({ definition }: GuestRecord, address: string, bridge: string): Rule {
  const [own = ""] = definition.nics[0]?.addresses ?? [];
  return {
    ...{ priority: rulePriorities.sibling, table: mainTable, hostRoutesOnly: true },
    ...{ iif: bridge, from: `${address}/32`, to: networkOf(own) },
  };
}

/** What took the retired redirect is told so; the guest goes on to find its gateway, by which it reaches its neighbours. */
function addNoWayHome(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  table: number,
): void {
  const gateway = record.definition.nics[0]?.gateway;
  const [network] = host.guestNetworks;
  if (gateway !== undefined && network !== undefined) {
    // Proxy ARP answers for what has a route to another device; nobody is behind this one with that address.
    state.routes.push(plainRoute(table, `${gateway}/32`, network.bridge));
  }
  state.routes.push(routeWithoutDevice("unreachable", table, "default"));
}

function routeWithoutDevice(type: "throw" | "unreachable", table: number, prefix: string): Route {
  return { table, prefix, type, device: null, via: null, mtu: null };
}
