import { baseChain } from "./chains.ts";
import { type Renumbering, redirectMark, renumberedMark } from "./desired.ts";

/**
 * What tells a renumbered guest's flows apart and translates the new ones. A flow is one of the old address when any
 * packet of it was sent to that, or when it begins in its middle: its connection carries `redirectMark`, and packets of
 * it that the guest sends do too, which is what rules of routing look at. All others, which begin here, have the new
 * address. Chains of translation see the first packet of a connection only, so flows that were brought along never meet
 * them.
 */
export function renumberingChains(renumbered: readonly Renumbering[]): string[] {
  const all = renumbered.toSorted((a, b) => (a.guest < b.guest ? -1 : 1));
  const toGuest = all.flatMap(toNewAddress);
  return [
    ...baseChain("old_or_new", "prerouting", "mangle", all.flatMap(tellApart)),
    ...baseChain("own_to_guest", "output", "mangle", all.flatMap(fromHost), "route"),
    ...baseChain("through_home", "postrouting", "mangle", all.flatMap(throughHome)),
    ...baseChain("to_new_address", "prerouting", beforeOthers, toGuest, "nat"),
    ...baseChain("own_to_new_address", "output", beforeOthers, toGuest, "nat"),
    ...baseChain("from_new_address", "postrouting", behindOthers, all.flatMap(onWire), "nat"),
    ...baseChain("new_address_to_own", "input", behindOthers, all.flatMap(toHost), "nat"),
  ];
}

/**
 * For the bridge: frames of renumbered guests carry `renumberedMark` from there on, also where they ask for an address, which
 * routing answers too.
 */
export function frameMarks(renumbered: readonly Renumbering[]): string[] {
  const taps = renumbered.map(({ tap }) => tap).toSorted();
  const rules = taps.map((tap) => `\tiifname "${tap}" ${markAsItsOwn}`);
  return baseChain("from_renumbered", "prerouting", "dstnat", rules);
}

const mark = textOf(redirectMark);
const own = textOf(renumberedMark);
/** Behind `meta` or `ct`: the packet, or its connection, is of a flow that keeps the old address. */
export const isRedirected = `mark & ${mark} != 0`;
const isNot = `mark & ${mark} == 0`;
const markPacket = `meta mark set meta mark | ${mark}`;
const markAsItsOwn = `meta mark set meta mark | ${own}`;
const isItsOwn = `meta mark & ${own} != 0`;
const markFlow = `ct mark set ct mark | ${mark}`;

/** The new address is this guest's alone: it is translated before anybody forwards ports of whatever arrives (-100). */
const beforeOthers = "-101";
/** A host that hides everything behind an address of its own (100) goes on to do so. */
const behindOthers = "101";

function tellApart(one: Renumbering): string[] {
  const { guest, address, bridge, retired } = one;
  const toGuest = `\tiifname != "${bridge}" ip daddr ${guest}`;
  const fromGuest = `\tiifname "${bridge}" ip saddr ${guest}`;
  return [
    ...(retired ? [] : [`${toGuest} ct ${isNot} ${markFlow}`]),
    // In its middle: tracked from this packet on, which begins no session (RFC 9293, section 3.5).
    `${fromGuest} ct state new ct status & confirmed == 0 tcp flags & (fin | syn | rst | ack) != syn ${markFlow}`,
    // Known from before the guest had a new address: every connection that began since is translated.
    `${fromGuest} ct ${isNot} ct status & confirmed != 0 ct status & (snat | dnat) == 0 ${markFlow}`,
    `${fromGuest} ct ${isRedirected} ${markPacket}`,
    // Nothing can translate it, and with an address that is not of this host's subnets it may not leave here.
    `${fromGuest} ct state invalid,untracked ${markPacket}`,
    // Sessions with this host's other guests have never passed home, and go on.
    ...(retired ? [`${toGuest} ct ${isRedirected} ${markAsItsOwn}`] : []),
    `\tip daddr ${address} ${markAsItsOwn}`,
  ];
}

/** Errors that the host reports are about packets that it forwarded for the guest. */
function fromHost({ guest, address }: Renumbering): string[] {
  const errors = "icmp type { destination-unreachable, time-exceeded, parameter-problem }";
  return [`\tip daddr ${address} ${markAsItsOwn}`, `\tip daddr ${guest} ${errors} ${markAsItsOwn}`];
}

/** Where this host knows no way of its own, a new flow takes the one through home, and keeps it. */
function throughHome({ guest, tunnels }: Renumbering): string[] {
  if (tunnels.length === 0) return [];
  return [`\toifname ${names(tunnels)} ip saddr ${guest} ct ${isNot} ${markFlow}`];
}

function toNewAddress({ guest, address }: Renumbering): string[] {
  return [`\tip daddr ${address} dnat to ${guest}`];
}

function onWire({ guest, address, bridge, tunnels }: Renumbering): string[] {
  const elsewhere = names([bridge, ...tunnels]);
  return [
    `\toifname != ${elsewhere} ip saddr ${guest} ${isItsOwn} ct ${isNot} snat to ${address}`,
    // A guest that calls itself by its new address hears from that address, but not where bridges are filtered
    // (br_netfilter): they send nothing back to the port that it came from.
    `\toifname "${bridge}" ip saddr ${guest} ip daddr ${guest} snat to ${address}`,
  ];
}

function toHost({ guest, address, bridge }: Renumbering): string[] {
  return [`\tiifname "${bridge}" ip saddr ${guest} ct ${isNot} snat to ${address}`];
}

function textOf(bit: number): string {
  return `0x${bit.toString(16).padStart(8, "0")}`;
}

function names(devices: readonly string[]): string {
  return `{ ${devices.map((device) => `"${device}"`).join(", ")} }`;
}
