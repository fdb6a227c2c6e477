import { type DesiredState, emptyDesiredState } from "../routing/desired.ts";
import { mergeStates } from "../routing/merge-states.ts";
import { addHosting } from "./desired-hosting.ts";
import { addInterception, addLan, addWayToLan } from "./desired-lan.ts";
import { sizeLimit, type TunnelLookup, tunnelEnd, tunnelGuest } from "./desired-parts.ts";
import {
  attachmentOf,
  deliveryRoute,
  type HostFacts,
  redirectRoute,
  requiredTunnels,
} from "./network.ts";
import type { GuestRecord } from "./records.ts";

/** All kernel state that the records ask for on this host, tunnels apart. */
export function desiredNetwork(
  host: HostFacts,
  records: readonly GuestRecord[],
  tunnelOf: TunnelLookup,
): DesiredState {
  const parts = records.map((record) => desiredForGuest(host, record, tunnelOf));
  return mergeStates(parts);
}

function desiredForGuest(
  host: HostFacts,
  record: GuestRecord,
  tunnelOf: TunnelLookup,
): DesiredState {
  const state = structuredClone(emptyDesiredState);
  if (record.hosting !== null) addHosting(state, host, record, record.hosting, tunnelOf);
  if (record.redirect !== null) addRedirect(state, host, record, record.redirect, tunnelOf);
  if (record.outgoing !== null) addOutgoing(state, host, record, record.outgoing, tunnelOf);
  if (isTracked(host, record)) addTracking(state);
  state.filter.tunnelEnds = requiredTunnels([record]).map((spec) => tunnelEnd(tunnelOf(spec)));
  return state;
}

/** One that has departed has nothing here. */
function isTracked(host: HostFacts, { hosting, redirect, outgoing }: GuestRecord): boolean {
  if (redirect?.drain !== undefined || hosting?.renumbered !== undefined) return true;
  return host.tracksFlows && (hosting !== null || redirect !== null || outgoing !== null);
}

/** With each connection's traffic and age (Documentation/networking/nf_conntrack-sysctl.rst), where the kernel counts. */
function addTracking(state: DesiredState): void {
  state.filter.tracking = true;
  for (const what of ["acct", "timestamp"]) {
    const path = `net/netfilter/nf_conntrack_${what}`;
    state.sysctls.push({ path, value: "1", ifThere: true });
  }
}

function addRedirect(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  { tunnel: spec, next, previous, handover }: NonNullable<GuestRecord["redirect"]>,
  tunnelOf: TunnelLookup,
): void {
  const { address } = attachmentOf(host, record);
  addLan(state, host, record);
  // Of two anchors the one that is only getting ready sends nothing, and takes nothing from the LAN.
  const isReceiving = handover?.part === "receiving";
  if (!isReceiving) state.routes.push(redirectRoute(address, tunnelOf(spec)));
  for (const way of [spec, next?.tunnel, previous?.tunnel]) {
    if (way === undefined) continue;
    addWayToLan(state, host, record, tunnelOf(way));
    state.filter.tunnelGuests.push(tunnelGuest("from", address, tunnelOf(way)));
    state.filter.sizeLimits.push(sizeLimit("to", address, tunnelOf(way)));
  }
  if (isReceiving) return;
  addInterception(state, host, record, { answers: handover?.part !== "leaving" });
}

function addOutgoing(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  outgoing: NonNullable<GuestRecord["outgoing"]>,
  tunnelOf: TunnelLookup,
): void {
  const tunnel = tunnelOf(outgoing.tunnel);
  const { address, bridge, atHome } = attachmentOf(host, record);
  const device = tunnel.interfaceName;
  // From a destination that is home, or still to be proved fit: its answers as the guest.
  state.filter.tunnelGuests.push(tunnelGuest("from", address, tunnel));
  state.filter.copies.push({ address, device, gateway: tunnel.nextHop ?? address });
  // A copy asks no route: its link-layer address is looked up under the guest's own address.
  if (tunnel.nextHopMac !== null) {
    state.neighbours.push({ kind: "permanent", device, address, mac: tunnel.nextHopMac });
  }
  // Peers and the guest learn the tunnel's MTU before anything moves, so that few full-size segments meet it.
  state.filter.sizeLimits.push(sizeLimit("to", address, tunnel));
  if (atHome) {
    addInterception(state, host, record, { ipv4Only: true });
    addWayToLan(state, host, record, tunnel);
    state.filter.sizeLimits.push({ ...sizeLimit("from", address, tunnel), adviseOnly: true });
  }
  if (outgoing.retired === true) return;
  state.routes.push(
    outgoing.switched ? redirectRoute(address, tunnel) : deliveryRoute(address, bridge, tunnel.mtu),
  );
}
