import { z } from "zod";
import { runCommand } from "../../../platform/command.ts";
import { SojournError } from "../../../platform/errors.ts";

const prefix = "sojourn_doctor_";

/** Name of the table that counts what comes out of a tunnel. */
export function tableName(interfaceName: string): string {
  return `${prefix}${interfaceName}`;
}

/** Where the nonce begins in ping's packets: 8 bytes of ICMP header, 16 with the time of sending, then the pattern. */
const nonceOffsetBits = (8 + 16) * 8;

/** Bytes of the small probes, which every path carries (RFC 791). Longer ones are the full-size ones. */
export const smallBytes = 576;

/** What has arrived. */
export interface PathCounts {
  all: number;
  /** Of those, the full-size ones. */
  full: number;
}

/**
 * A table that counts, and ends, packets with the nonce that come out of the tunnel, before anything else sees them.
 * @param counting with `isForProbesAlone` nothing else comes out of it either: no guest's filter stands behind it.
 * nft(8): raw payload expression.
 */
export function countingTable(
  table: string,
  device: string,
  {
    nonce,
    localAddress,
    isForProbesAlone = false,
  }: { nonce: string; localAddress: string; isForProbesAlone?: boolean },
): string {
  const isOurs = `iifname "${device}" ip daddr ${localAddress} ip protocol 1 @th,${nonceOffsetBits},128 0x${nonce}`;
  return [
    deletingTable(table),
    `table ip ${table} {`,
    "chain arrived {",
    // Before connection tracking (-400), fragments that are put together there, and our own filter (raw, -300).
    "type filter hook prerouting priority -450; policy accept;",
    `${isOurs} counter comment "all"`,
    `${isOurs} ip length > ${smallBytes} counter comment "full"`,
    `${isOurs} drop`,
    ...(isForProbesAlone ? [`iifname "${device}" drop`] : []),
    "}",
    "}",
  ].join("\n");
}

/** Removes it whether or not it is there. */
export function deletingTable(table: string): string {
  return `add table ip ${table}\ndelete table ip ${table}\n`;
}

const listing = z.object({
  nftables: z.array(
    z.object({
      rule: z
        .object({
          comment: z.string().optional(),
          expr: z.array(
            z.object({ counter: z.object({ packets: z.int().nonnegative() }).optional() }),
          ),
        })
        .optional(),
    }),
  ),
});

/** Packets that the table has counted. @throws SojournError `SOJ_DOCTOR_OUTPUT`. */
export function readCounts(text: string): PathCounts {
  let entries: z.output<typeof listing>;
  try {
    entries = listing.parse(JSON.parse(text));
  } catch (cause) {
    const message = "nft -j list table printed what is not understood";
    throw new SojournError("SOJ_DOCTOR_OUTPUT", message, { cause });
  }
  const rules = entries.nftables.flatMap(({ rule }) => rule ?? []);
  const packets = (comment: string) =>
    rules
      .filter((rule) => rule.comment === comment)
      .flatMap(({ expr }) => expr.flatMap(({ counter }) => counter?.packets ?? []))
      .reduce((sum, count) => sum + count, 0);
  return { all: packets("all"), full: packets("full") };
}

/** Removes the tables that a daemon left when it died in the middle of a check. */
export async function removePathLeftovers(): Promise<void> {
  const { stdout } = await runCommand("nft", ["list", "tables", "ip"]);
  const names = [...stdout.matchAll(/^table ip (sojourn_doctor_sj[a-z0-9]+)$/gm)];
  for (const [, table = ""] of names) await runCommand("nft", [deletingTable(table)]);
}
