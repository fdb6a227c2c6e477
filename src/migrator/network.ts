import { firstAddress } from "../hypervisor/nic-addresses.ts";
import { preconditionError } from "../platform/errors.ts";
import { interfaceName } from "../platform/names.ts";
import { mainTable, type Route } from "../routing/desired.ts";
import type { TunnelInterface, TunnelSpec } from "../tunnels/tunnel.ts";
import type { HostRole } from "./host-role.ts";
import type { GuestRecord } from "./records.ts";
import { contains } from "./subnet.ts";

/** What this host is, as far as guests' networks depend on it. */
export interface HostFacts {
  name: string;
  /** `host` where it is not said. */
  role?: HostRole;
  underlayAddress: string;
  /** Where guests arrive; null, or absent, for the underlay address. */
  streamAddress?: string | null;
  guestNetworks: readonly {
    subnet: string;
    gateway: string;
    bridge: string;
    /** The bridge's port towards the LAN whose gateway that is; absent where this host is the gateway. */
    port?: string | undefined;
  }[];
  /** Connections are tracked while this host has guests; otherwise only for those that need it. */
  tracksFlows: boolean;
}

/** The tunnels that the records need, each once. */
export function requiredTunnels(records: readonly GuestRecord[]): TunnelSpec[] {
  const specs = new Map<string, TunnelSpec>();
  for (const record of records) {
    const needed = [
      record.hosting?.homeTunnel,
      record.hosting?.sourceTunnel,
      record.hosting?.handover?.tunnel,
      record.redirect?.tunnel,
      record.redirect?.next?.tunnel,
      record.redirect?.previous?.tunnel,
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

/** Names, addresses and devices of a guest on this host. */
export function attachmentOf(host: HostFacts, record: GuestRecord) {
  const nic = record.definition.nics[0];
  if (nic === undefined) throw new Error(`${record.guest} has no NIC`);
  const address = firstAddress(record.definition) ?? "";
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
export function guestNetworkOf(host: Pick<HostFacts, "guestNetworks">, address: string) {
  return host.guestNetworks.find((network) => contains(network.subnet, address));
}

/**
 * The bridge of the guest network of this host that holds `address`.
 * @throws SojournError `SOJ_GUEST_ADDRESS` when the network has been taken out of the configuration.
 */
export function homeBridge(host: HostFacts, address: string): string {
  const network = guestNetworkOf(host, address);
  if (network !== undefined) return network.bridge;
  throw preconditionError(
    "SOJ_GUEST_ADDRESS",
    `${host.name} is the home of a guest with ${address}, which is in none of its guest networks any more`,
    { hint: "put the network back into [[guest_networks]] until the guest has ended" },
  );
}

/** Straight to a device of this host. */
export function plainRoute(table: number, prefix: string, device: string): Route {
  return { table, prefix, type: "unicast", device, via: null, mtu: null };
}

/** Into a tunnel, by the next hop that its kind needs. */
export function throughTunnel(table: number, prefix: string, tunnel: TunnelInterface): Route {
  return {
    table,
    prefix,
    type: "unicast",
    device: tunnel.interfaceName,
    via: tunnel.nextHop,
    mtu: null,
  };
}
