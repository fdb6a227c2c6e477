import { interfaceName } from "../platform/names.ts";
import { anyBarrierLink } from "./barrier/names.ts";
import { baseChain } from "./chains.ts";
import { type DesiredState, type Filter, mainTable, type SizeLimit } from "./desired.ts";
import { isRedirected } from "./renumbering.ts";

/**
 * What becomes of packets that a guest's tunnel cannot carry whole. Whether ICMP reaches a
 * sender is unknown, so both ways are gone at once: a copy of such a packet takes a route with the tunnel's
 * MTU, for which the kernel sends "fragmentation needed" (RFC 1191) to the sender, and the packet itself goes
 * on with DF cleared and is fragmented. Nothing is lost whether or not the sender obeys.
 *
 * nft does not see the segment size of a merged packet, so one whose segments would fit is treated alike: its
 * copy provokes nothing and ends in a bridge without ports, and the packet leaves unfragmented.
 */

/** A bridge without ports, where copies end. */
export const sinkBridge = interfaceName("b", "sink");

/** The sink and the routes into it, one for each MTU; nothing without `sizeLimits`. */
export function copySink(filter: Filter): Pick<DesiredState, "bridges" | "routes"> {
  const mtus = distinct(filter.sizeLimits.map(({ mtu }) => mtu));
  return {
    bridges: mtus.length === 0 ? [] : [{ name: sinkBridge, mac: null }],
    routes: mtus.map((mtu) => ({
      ...{ table: mainTable, prefix: `${sinkAddress(mtu)}/32`, type: "unicast" },
      ...{ device: sinkBridge, via: null, mtu },
    })),
  };
}

/** The lines of our `ip` table for `sizeLimits`; empty when there are none. */
export function sizeChains(filter: Filter): string[] {
  const limits = distinct(filter.sizeLimits.map((limit) => JSON.stringify(limit))).map(
    (text): SizeLimit => JSON.parse(text),
  );
  if (limits.length === 0) return [];
  return [
    ...advisedSet,
    ...fragmentChain,
    ...baseChain("oversized", "prerouting", afterTranslation, [
      // The barrier asks what the path carries whole.
      `\tiifname "${anyBarrierLink}" accept`,
      ...limits.flatMap(packetRules),
    ]),
    ...baseChain("oversized_copies", "postrouting", afterCopying, copyRules(limits)),
    ...baseChain("new_sessions", "forward", "mangle", clampRules(limits)),
  ];
}

/** Behind destination NAT (-100): a packet to the guest has the guest's address only then. */
const afterTranslation = "-90";
/** Behind the chain that copies to the destination (150): nft sets DF on every copy it makes. */
const afterCopying = "160";
/** IPv4 and TCP header without options (RFC 9293: the segment size counts neither). */
const headerBytes = 40;

/** Senders that were told lately, so that an obstinate one costs little. It forgets by itself. */
const advisedSet = [
  "set advised {",
  "\ttype ipv4_addr . ipv4_addr",
  "\tsize 4096",
  "\tflags dynamic,timeout",
  "\ttimeout 1m",
  "}",
];

/**
 * A sender that sets DF need not number its packets (RFC 6864). The register is 32 bits wide and its upper half
 * is what is written, hence the odd modulus.
 */
const fragmentChain = [
  "chain fragmentable {",
  "\tip id set numgen random mod 4294967295",
  "\tip frag-off set 0",
  "}",
];

/** The address of the route with this MTU; class E (RFC 1112, section 4), so no host has it. */
function sinkAddress(mtu: number): string {
  return `240.0.${mtu >> 8}.${mtu & 255}`;
}

function packetRules(limit: SizeLimit): string[] {
  const { device, address, direction, elsewhere, mtu, redirectedOnly } = limit;
  const whose = direction === "to" ? `ip daddr ${address}` : `ip saddr ${address}`;
  const others =
    elsewhere.length === 0 ? "" : ` ip daddr != { ${elsewhere.toSorted().join(", ")} }`;
  const which = redirectedOnly ? ` meta ${isRedirected}` : "";
  const match = `\tiifname != "${device}" ${whose}${others}${which} ${oversized(mtu)}`;
  const advise = `update @advised { ip saddr . ip daddr limit rate 10/second } dup to ${sinkAddress(mtu)} device "${sinkBridge}"`;
  return [`${match} ${advise}`, ...(limit.adviseOnly ? [] : [`${match} goto fragmentable`])];
}

function copyRules(limits: readonly SizeLimit[]): string[] {
  return limits
    .filter(({ direction }) => direction === "to")
    .map(
      ({ device, address, mtu }) =>
        `\toifname "${device}" ip daddr ${address} ${oversized(mtu)} goto fragmentable`,
    );
}

function clampRules(limits: readonly SizeLimit[]): string[] {
  const sizes = limits.map(
    ({ address, mtu, redirectedOnly }) => `${address} ${mtu - headerBytes} ${redirectedOnly}`,
  );
  return distinct(sizes).flatMap((entry) => {
    const [address, size, redirectedOnly] = entry.split(" ");
    const which = redirectedOnly === "true" ? `ct ${isRedirected} ` : "";
    const clamp = `${which}tcp flags & (syn | rst) == syn tcp option maxseg size > ${size} tcp option maxseg size set ${size}`;
    return [`\tip saddr ${address} ${clamp}`, `\tip daddr ${address} ${clamp}`];
  });
}

/** Too large, DF set, not itself a fragment. */
function oversized(mtu: number): string {
  return `meta length > ${mtu} ip frag-off 0x4000`;
}

function distinct<Value extends string | number>(values: readonly Value[]): Value[] {
  return [...new Set(values)].toSorted();
}
