import { baseChain } from "./chains.ts";
import type { Filter, TunnelEnd } from "./desired.ts";
import { mergeTunnelGuests } from "./merge-states.ts";

/** Why packets of tunnels are not taken, as the counters of our table are named. */
export const refusalReasons = ["inner_address", "outer_address", "malformed"] as const;

export type RefusalReason = (typeof refusalReasons)[number];

/** The name of a reason's counter in our `ip` table. */
export function counterName(reason: RefusalReason): string {
  return `refused_${reason}`;
}

/** UDP port of VXLAN (RFC 7348, section 5). */
const vxlanPort = 4789;

/**
 * Before the kernel puts fragments together (NF_IP_PRI_CONNTRACK_DEFRAG is -400): forged ones neither wait there nor are
 * they ever joined with a guest's.
 */
const beforeDefragmentation = "-450";

/** Only what belongs to a tunnel's guests comes out of it, and only what is its peer's goes in; the rest is counted. */
export function tunnelChains(filter: Filter): string[] {
  const inner = innerRules(filter);
  const ipip = ipipRules(filter.tunnelEnds.filter(({ kind }) => kind === "ipip"));
  const vxlan = vxlanRules(filter.tunnelEnds);
  if (inner.length + ipip.length + vxlan.length === 0) return [];
  return [
    ...refusalReasons.map((reason) => `counter ${counterName(reason)} { packets 0 bytes 0 }`),
    ...baseChain("from_tunnels", "prerouting", beforeDefragmentation, [...inner, ...ipip]),
    // Whole datagrams only: in fragments the header that tells the tunnel may be anywhere.
    ...baseChain("into_tunnels", "input", "raw", vxlan),
  ];
}

function innerRules({ tunnelGuests }: Filter): string[] {
  return mergeTunnelGuests(tunnelGuests)
    .toSorted((one, other) => (one.device < other.device ? -1 : 1))
    .flatMap(({ device, from, to }) => [
      ...(from.length === 0 ? [] : [`\tiifname "${device}" ip saddr ${set(from)} accept`]),
      ...(to.length === 0 ? [] : [`\tiifname "${device}" ip daddr ${set(to)} accept`]),
      `\tiifname "${device}" ${count("inner_address")} drop`,
    ]);
}

/**
 * IP in IP (protocol 4). Only counted: what no device takes the kernel refuses by itself, and a device of somebody else's
 * between other addresses goes on. Those of a peer whose packets are taken below come here only when they were not sound.
 */
function ipipRules(ends: readonly TunnelEnd[]): string[] {
  const locals = [...new Set(ends.map(({ local }) => local))].toSorted();
  return locals.flatMap((local) => {
    const here = ends.filter((end) => end.local === local);
    const remotes = (some: readonly TunnelEnd[]) => set(some.map(({ remote }) => remote));
    const below = here.filter(({ takenBelow }) => takenBelow);
    const match = `\tip protocol 4 ip daddr ${local} ip saddr`;
    return [
      `${match} != ${remotes(here)} ${count("outer_address")}`,
      ...(below.length === 0 ? [] : [`${match} ${remotes(below)} ${count("malformed")}`]),
    ];
  });
}

/**
 * The kernel's device takes packets of its network from anybody, and whatever they hold. Of a peer's only IPv4 passes, in
 * frames to that device: there is no ARP, since both ends know each other's MAC addresses, and no filter of guests for more.
 */
function vxlanRules(ends: readonly TunnelEnd[]): string[] {
  const networks = new Map(ends.map((end) => [`${end.vni} ${end.local} ${end.remote}`, end]));
  return [...networks]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([, { local, remote, vni, mac }]) => {
      if (vni === null || mac === null) return [];
      // The 24 bits of the network identifier begin 32 bits into the VXLAN header, which begins with its flags.
      const network = `\tip daddr ${local} udp dport ${vxlanPort} @th,96,24 ${vni}`;
      const hasNetwork = "@th,64,8 & 8 == 8";
      const isFrame = `@th,128,48 0x${mac.replaceAll(":", "")} @th,224,16 0x0800 @th,240,4 4`;
      return [
        `${network} ip saddr != ${remote} ${count("outer_address")} drop`,
        `${network} ${hasNetwork} ${isFrame} accept`,
        `${network} ${count("malformed")} drop`,
      ];
    });
}

function count(reason: RefusalReason): string {
  return `counter name ${counterName(reason)}`;
}

function set(addresses: readonly string[]): string {
  return `{ ${[...new Set(addresses)].toSorted().join(", ")} }`;
}
