import { interfaceName } from "../platform/names.ts";
import {
  type DesiredState,
  emptyDesiredState,
  incomingTable,
  mainTable,
  type Route,
  rulePriorities,
  type SizeLimit,
  sourceTableBase,
} from "../routing/desired.ts";
import { mergeStates } from "../routing/merge-states.ts";
import type { TunnelInterface, TunnelSpec } from "../tunnels/tunnel.ts";
import type { GuestRecord } from "./records.ts";

/** What this host is, as far as guests' networks depend on it. */
export interface HostFacts {
  name: string;
  underlayAddress: string;
  guestNetworks: readonly { subnet: string; gateway: string; bridge: string }[];
}

/** Packets that a guest's tap holds at least while QEMU does not read it; more where more are expected. */
const tapQueueLength = 4096;

type TunnelLookup = (spec: TunnelSpec) => TunnelInterface;

/** The tunnels that the records need, each once. */
export function requiredTunnels(records: readonly GuestRecord[]): TunnelSpec[] {
  const specs = new Map<string, TunnelSpec>();
  for (const record of records) {
    const needed = [
      record.hosting?.homeTunnel,
      record.hosting?.sourceTunnel,
      record.redirect?.tunnel,
      record.outgoing?.tunnel,
    ];
    for (const spec of needed) {
      if (spec) specs.set(tunnelKey(spec), spec);
    }
  }
  return [...specs.values()];
}

/** Identity of a tunnel on this host. */
export function tunnelKey(spec: TunnelSpec): string {
  return `${spec.kind} ${spec.localAddress} ${spec.remoteAddress}`;
}

/** All kernel state that the records ask for on this host, tunnels apart. */
export function desiredNetwork(
  host: HostFacts,
  records: readonly GuestRecord[],
  tunnelOf: TunnelLookup,
): DesiredState {
  const parts = records.map((record) => desiredForGuest(host, record, tunnelOf));
  return mergeStates(parts);
}

/** Names, addresses and devices of a guest on this host. */
export function attachmentOf(host: HostFacts, record: GuestRecord) {
  const nic = record.definition.nics[0];
  if (nic === undefined) throw new Error(`${record.guest} has no NIC`);
  const address = nic.addresses[0]?.split("/")[0] ?? "";
  const atHome = record.home.host === host.name;
  const bridge = atHome ? homeBridge(host, address) : interfaceName("b", record.guest);
  const tap = record.hosting?.tap ?? interfaceName("p", record.guest);
  return { address, mac: nic.mac, bridge, tap, atHome };
}

/** The one route whose change moves the guest's traffic from here to the destination. */
export function redirectRoute(address: string, tunnel: TunnelInterface): Route {
  return throughTunnel(mainTable, `${address}/32`, tunnel);
}

/** The route that leads the guest's traffic to its bridge on this host. */
export function deliveryRoute(address: string, bridge: string, mtu: number | null = null): Route {
  return { ...plainRoute(mainTable, `${address}/32`, bridge), mtu };
}

/** The guest network of this host that holds `address`; undefined when it is another host's. */
export function guestNetworkOf(host: HostFacts, address: string) {
  return host.guestNetworks.find((network) => contains(network.subnet, address));
}

function desiredForGuest(
  host: HostFacts,
  record: GuestRecord,
  tunnelOf: TunnelLookup,
): DesiredState {
  const state = structuredClone(emptyDesiredState);
  if (record.hosting !== null) addHosting(state, host, record, record.hosting, tunnelOf);
  if (record.redirect !== null) addRedirect(state, host, record, record.redirect.tunnel, tunnelOf);
  if (record.outgoing !== null) addOutgoing(state, host, record, record.outgoing, tunnelOf);
  return state;
}

function addHosting(
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
  if (hosting.sourceTunnel !== null) {
    const tunnel = tunnelOf(hosting.sourceTunnel);
    state.filter.tunnelGuests.push({ device: tunnel.interfaceName, guests: [address] });
    state.rules.push({
      priority: rulePriorities.incoming,
      table: incomingTable,
      iif: tunnel.interfaceName,
      from: null,
      to: null,
    });
    state.routes.push(plainRoute(incomingTable, `${address}/32`, bridge));
  }
  if (atHome) {
    // While the redirect's route still points at the tunnel, a strict filter would drop the guest's own packets.
    if (!settledAtHome) state.sysctls.push(sysctl(bridge, "rp_filter", "2"));
    return;
  }
  if (hosting.homeTunnel === null) throw new Error(`${record.guest} is away without a way home`);
  addAway(state, host, record, hosting.tableIndex, tunnelOf(hosting.homeTunnel));
  if (runsHere && record.outgoing === null) state.routes.push(deliveryRoute(address, bridge));
}

/** Source routing and the gateway's stand-in for a guest whose subnet is another host's. */
function addAway(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  tableIndex: number,
  home: TunnelInterface,
): void {
  const { address, bridge, tap } = attachmentOf(host, record);
  const table = sourceTableBase + tableIndex;
  // With the MAC address of home's bridge: ARP entries of the guest stay true when it leaves and when it comes back.
  state.bridges.push({ name: bridge, mac: record.home.gatewayMac });
  state.filter.gatewayFrames.push({ tap, bridge });
  state.filter.tunnelGuests.push({ device: home.interfaceName, guests: [address] });
  const elsewhere = host.guestNetworks.map(({ subnet }) => subnet);
  state.filter.sizeLimits.push({ ...sizeLimit("from", address, home), elsewhere });
  state.rules.push({
    priority: rulePriorities.source,
    table,
    iif: bridge,
    from: `${address}/32`,
    to: null,
  });
  for (const subnet of elsewhere) {
    state.routes.push({
      table,
      prefix: subnet,
      type: "throw",
      device: null,
      via: null,
      mtu: null,
    });
  }
  // Names the guest's own bridge, so that proxy ARP never answers the guest's probes for its own address.
  state.routes.push(plainRoute(table, `${address}/32`, bridge));
  state.routes.push(throughTunnel(table, "default", home));
  state.sysctls.push(
    sysctl(bridge, "forwarding", "1"),
    sysctl(bridge, "proxy_arp", "1"),
    sysctl(bridge, "rp_filter", "2"),
    sysctl(bridge, "send_redirects", "0"),
    { path: `net/ipv4/neigh/${bridge}/proxy_delay`, value: "0" },
  );
}

function addRedirect(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  spec: TunnelSpec,
  tunnelOf: TunnelLookup,
): void {
  const tunnel = tunnelOf(spec);
  const { address, mac } = attachmentOf(host, record);
  const bridge = homeBridge(host, address);
  state.routes.push(redirectRoute(address, tunnel));
  state.filter.tunnelGuests.push({ device: tunnel.interfaceName, guests: [address] });
  state.filter.sizeLimits.push(sizeLimit("to", address, tunnel));
  state.filter.guestFrames.push({ bridge, mac });
  state.neighbours.push({ kind: "proxy", device: bridge, address });
  state.sysctls.push({ path: `net/ipv4/neigh/${bridge}/proxy_delay`, value: "0" });
}

function addOutgoing(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  outgoing: NonNullable<GuestRecord["outgoing"]>,
  tunnelOf: TunnelLookup,
): void {
  const tunnel = tunnelOf(outgoing.tunnel);
  const { address, mac, bridge, atHome } = attachmentOf(host, record);
  const device = tunnel.interfaceName;
  state.filter.tunnelGuests.push({ device, guests: [address] });
  state.filter.copies.push({ address, device, gateway: tunnel.nextHop ?? address });
  // A copy asks no route: its link-layer address is looked up under the guest's own address.
  if (tunnel.nextHopMac !== null) {
    state.neighbours.push({ kind: "permanent", device, address, mac: tunnel.nextHopMac });
  }
  // Peers and the guest learn the tunnel's MTU before anything moves, so that few full-size segments meet it.
  state.filter.sizeLimits.push(sizeLimit("to", address, tunnel));
  if (atHome) {
    // Through the IP layer, where they are copied and redirected like everybody else's.
    state.filter.guestFrames.push({ bridge, mac });
    state.filter.sizeLimits.push({ ...sizeLimit("from", address, tunnel), adviseOnly: true });
  }
  if (outgoing.retired === true) return;
  state.routes.push(
    outgoing.switched ? redirectRoute(address, tunnel) : deliveryRoute(address, bridge, tunnel.mtu),
  );
}

function homeBridge(host: HostFacts, address: string): string {
  const network = guestNetworkOf(host, address);
  if (network === undefined) throw new Error(`${address} is in none of ${host.name}'s subnets`);
  return network.bridge;
}

function plainRoute(table: number, prefix: string, device: string): Route {
  return { table, prefix, type: "unicast", device, via: null, mtu: null };
}

function throughTunnel(table: number, prefix: string, tunnel: TunnelInterface): Route {
  return {
    table,
    prefix,
    type: "unicast",
    device: tunnel.interfaceName,
    via: tunnel.nextHop,
    mtu: null,
  };
}

function sizeLimit(
  direction: SizeLimit["direction"],
  address: string,
  { interfaceName: device, mtu }: TunnelInterface,
): SizeLimit {
  return { address, device, mtu, direction, elsewhere: [], adviseOnly: false };
}

function sysctl(device: string, name: string, value: string) {
  return { path: `net/ipv4/conf/${device}/${name}`, value };
}

function contains(subnet: string, address: string): boolean {
  const [base = "", lengthText = "32"] = subnet.split("/");
  const length = Number(lengthText);
  const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
  return (toNumber(base) & mask) >>> 0 === (toNumber(address) & mask) >>> 0;
}

function toNumber(address: string): number {
  return address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}
