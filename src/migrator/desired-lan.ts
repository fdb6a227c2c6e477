import { type DesiredState, lanTableBase, rulePriorities } from "../routing/desired.ts";
import type { TunnelInterface } from "../tunnels/tunnel.ts";
import { promptProxy, sysctl } from "./desired-parts.ts";
import { attachmentOf, guestNetworkOf, type HostFacts, plainRoute } from "./network.ts";
import type { GuestRecord } from "./records.ts";

type Network = HostFacts["guestNetworks"][number];

/** A guest network on a LAN whose gateway is another machine. */
export type Lan = Network & { port: string };

/** The LAN on which `address` is; null where this host is the guests' gateway, or the address another host's. */
export function lanOf(host: Pick<HostFacts, "guestNetworks">, address: string): Lan | null {
  const network = guestNetworkOf(host, address);
  return network?.port === undefined ? null : { ...network, port: network.port };
}

/**
 * What neighbours send to a guest goes through this host's IP layer, which copies it and sends it where the guest is; who
 * asks for the guest is answered as soon as the route to it leads elsewhere than to its bridge: the kernel answers only for
 * what is behind another device. For home, of a guest that is away, or with `ipv4Only` about to leave; without `answers` of
 * one for which another anchor answers by now.
 */
export function addInterception(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  { answers = true, ...which }: { ipv4Only?: true; answers?: boolean } = {},
): void {
  const { address, mac, bridge } = attachmentOf(host, record);
  state.filter.guestFrames.push({ bridge, mac, ...which });
  if (answers) state.neighbours.push({ kind: "proxy", device: bridge, address });
  state.sysctls.push(promptProxy(bridge), ...withoutRedirects(bridge));
}

/** What home's bridge on a LAN needs for as long as it has a guest, or sends one's packets elsewhere. */
export function addLan(state: DesiredState, host: HostFacts, record: GuestRecord): void {
  const { address, bridge, tap } = attachmentOf(host, record);
  const lan = lanOf(host, address);
  if (lan === null) return;
  // Neighbours may know this host's MAC address for the guest's for a while after its return; what they pass on is
  // from anywhere, and this host's way there need not be the LAN.
  state.sysctls.push(sysctl(bridge, "forwarding", "1"), sysctl(bridge, "rp_filter", "2"));
  state.sysctls.push(...withoutRedirects(bridge));
  if (record.hosting === null) return;
  // Away from home the gateway's stand-in answered for the neighbours too: the guest may take some for the gateway.
  const { gatewayMac: mac } = record.home;
  const only = { mac, prefix: lan.subnet, except: lan.gateway };
  state.filter.gatewayFrames.push({ tap, bridge, only });
}

/**
 * What a guest of a LAN sends out of a tunnel goes where it would at home: to neighbours straight (or to where they are),
 * to all others by the LAN's own gateway, whatever this host's own way there is.
 */
export function addWayToLan(
  state: DesiredState,
  host: HostFacts,
  record: GuestRecord,
  { interfaceName: iif }: TunnelInterface,
): void {
  const { address } = attachmentOf(host, record);
  const lan = lanOf(host, address);
  if (lan === null) return;
  const table = lanTableBase + host.guestNetworks.findIndex(({ subnet }) => subnet === lan.subnet);
  const neighbours = { table, prefix: lan.subnet, type: "throw", device: null } as const;
  state.routes.push(
    { ...neighbours, via: null, mtu: null },
    { ...plainRoute(table, "default", lan.bridge), via: lan.gateway },
  );
  const priority = rulePriorities.lan;
  state.rules.push({ priority, table, iif, from: `${address}/32`, to: null });
}

/** Either of `all` and the device's own value switches them on (ip-sysctl, send_redirects). */
function withoutRedirects(bridge: string) {
  return [sysctl("all", "send_redirects", "0"), sysctl(bridge, "send_redirects", "0")];
}
