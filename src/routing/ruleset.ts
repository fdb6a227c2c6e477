import { createHash } from "node:crypto";
import { baseChain } from "./chains.ts";
import { type Filter, nftTable } from "./desired.ts";
import { sizeChains } from "./oversized.ts";
import { frameMarks, renumberingChains } from "./renumbering.ts";
import { tunnelChains } from "./tunnel-filter.ts";

export interface RenderedTable {
  /** Of the content apart from the copies that are armed. */
  digest: string;
  /** The table as nft reads it; it carries the digest as its comment. */
  text: string;
}

/**
 * Both tables of ours as text, null where there is nothing to say. The order of the filter's entries does
 * not matter.
 * @param macOf the MAC address of a bridge.
 */
export function renderTables(
  filter: Filter,
  macOf: (bridge: string) => string,
  armed: ReadonlySet<string>,
): { ip: RenderedTable | null; bridge: RenderedTable | null } {
  const copies = sorted(filter.copies);
  const chains = [
    ...tunnelChains(filter),
    ...copyChain(filter),
    ...sizeChains(filter),
    ...trackingChain(filter),
    ...renumberingChains(filter.renumbered),
  ];
  const frames = frameChain(filter, macOf);
  return {
    ip: render("ip", chains, (isForDigest) =>
      copies.flatMap((copy) => copySet(copy, !isForDigest && armed.has(copy.address))),
    ),
    bridge: render("bridge", frames, () => []),
  };
}

/** Lines that remove the table whether or not it is there. */
export function removeTableText(family: "ip" | "bridge"): string {
  return `add table ${family} ${nftTable}\ndelete table ${family} ${nftTable}\n`;
}

/** The name of the set that switches the copying of `address` through `device`. */
export function copySetName(copy: { address: string; device: string }): string {
  return `copy_${copy.address}_${copy.device}`.replaceAll(/[^A-Za-z0-9]/g, "_");
}

const digestPrefix = "content ";

/** The digest that a listing's comment carries; null when there is none. */
export function digestInListing(listing: string): string | null {
  return /^\tcomment "content ([0-9a-f]{32})"$/m.exec(listing)?.[1] ?? null;
}

/** A listing without what changes by itself: counters and armed copies. */
export function withoutCounters(listing: string): string {
  return listing
    .replaceAll(/[ \t]packets \d+ bytes \d+/g, "")
    .replaceAll(/^[ \t]*elements = \{[^}]*\}\n/gm, "");
}

function render(
  family: "ip" | "bridge",
  chains: string[],
  sets: (isForDigest: boolean) => string[],
): RenderedTable | null {
  if (chains.length === 0) return null;
  const content = [...sets(true), ...chains].join("\n");
  const digest = createHash("sha256").update(content).digest("hex").slice(0, 32);
  const lines = [`comment "${digestPrefix}${digest}"`, ...sets(false), ...chains];
  const body = lines.map((line) => `\t${line}\n`).join("");
  return { digest, text: `table ${family} ${nftTable} {\n${body}}\n` };
}

/** A packet that leaves through the tunnel anyway needs no copy, so the route change ends the copying. */
function copyChain(filter: Filter): string[] {
  const rules = sorted(filter.copies).map(
    (copy) =>
      `\toifname != "${copy.device}" ip daddr @${copySetName(copy)} dup to ${copy.gateway} device "${copy.device}"`,
  );
  return baseChain("copies", "postrouting", "150", rules);
}

/** No packet passes it: that a rule asks for a connection's state makes the kernel know it (nf_ct_netns_get). */
function trackingChain({ tracking }: Filter): string[] {
  return tracking ? ["chain tracking {", "\tct state established", "}"] : [];
}

function frameChain(filter: Filter, macOf: (bridge: string) => string): string[] {
  const toHost = (mac: string) => `ether daddr set ${mac} meta pkttype set host`;
  const fromGuests = sorted(filter.gatewayFrames).map(({ tap, bridge, only }) => {
    const mac = macOf(bridge);
    if (only !== undefined) {
      const { prefix, except } = only;
      const which = `ether daddr ${only.mac.toLowerCase()} ip daddr ${prefix} ip daddr != ${except}`;
      return `\tiifname "${tap}" ${which} ${toHost(mac)}`;
    }
    const isUnicast = "ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00";
    return `\tiifname "${tap}" ether daddr != ${mac} ${isUnicast} ${toHost(mac)}`;
  });
  // Not bound to the bridge: some kernels lack `meta ibrname`, and the MAC address is the guest's alone.
  const toGuests = sorted(filter.guestFrames).map(
    ({ bridge, mac, ipv4Only }) =>
      `\t${ipv4Only === true ? "ether type ip " : ""}ether daddr ${mac.toLowerCase()} ${toHost(macOf(bridge))}`,
  );
  // A guest that has just come back asks for its neighbours before this table knows of it.
  const answers = toGuests.length === 0 ? [] : ["\tarp operation reply accept"];
  return [
    ...baseChain("to_old_gateway", "prerouting", "dstnat", fromGuests),
    ...baseChain("to_guest_away", "prerouting", "dstnat", [...answers, ...toGuests]),
    ...frameMarks(filter.renumbered),
  ];
}

function copySet(copy: { address: string; device: string }, isArmed: boolean): string[] {
  return [
    `set ${copySetName(copy)} {`,
    "\ttype ipv4_addr",
    ...(isArmed ? [`\telements = { ${copy.address} }`] : []),
    "}",
  ];
}

function sorted<Value>(values: readonly Value[]): Value[] {
  const byText = new Map(values.map((value) => [JSON.stringify(value), value]));
  return [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
