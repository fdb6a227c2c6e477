import { runCommand } from "../platform/command.ts";
import { toBytesPerSecond, toMbps } from "../platform/rates.ts";
import { namespaceName } from "./layout.ts";

/** Mbit/s. Above it the machine itself is slower than the limit. */
export const maxLinkMbps = 100_000;

/** Ours, so that nobody else's queue on the link is taken away. */
const handle = "7701:";

/** How long a packet may wait in a full queue: a switch's port holds about as much. */
const queueMs = 20;

/** The largest packet that a namespace's link carries in one piece, with its headers. */
const largestPacketBytes = 65_536;

/** A link's end inside a node. */
export interface LinkEnd {
  node: string;
  device: string;
}

/**
 * What leaves through this end is limited to `mbps` (a token bucket, tc-tbf(8)); 0 takes the limit away. A limit that
 * stands as it should is left alone.
 */
export async function ensureLinkLimit(lab: string, end: LinkEnd, mbps: number): Promise<void> {
  const standing = await readLimit(lab, end);
  if (standing === mbps) return;
  if (mbps === 0) await tc(lab, end, "del", []);
  else await tc(lab, end, "replace", limiter(mbps));
}

/** Words of `tc qdisc replace dev DEVICE root …` for a link of so many Mbit/s. Pure. */
export function limiter(mbps: number): string[] {
  // What the link carries in 2 ms, so that a late timer costs no throughput.
  const burstBytes = Math.max(largestPacketBytes, Math.round(toBytesPerSecond(mbps) * 0.002));
  const words = ["handle", handle, "tbf", "rate", `${mbps}mbit`];
  return [...words, "burst", String(burstBytes), "latency", `${queueMs}ms`];
}

/** Mbit/s; 0 where no limit of ours is set. */
async function readLimit(lab: string, { node, device }: LinkEnd): Promise<number> {
  const args = ["-n", namespaceName(lab, node), "-j", "qdisc", "show", "dev", device, "root"];
  const { stdout } = await runCommand("tc", args);
  const found = JSON.parse(stdout) as { handle?: string; options?: { rate?: number } }[];
  const ours = found.find((qdisc) => qdisc.handle === handle);
  return toMbps(ours?.options?.rate ?? 0);
}

async function tc(
  lab: string,
  { node, device }: LinkEnd,
  action: "replace" | "del",
  words: readonly string[],
): Promise<void> {
  const target = ["qdisc", action, "dev", device, "root"];
  await runCommand("tc", ["-n", namespaceName(lab, node), ...target, ...words]);
}
