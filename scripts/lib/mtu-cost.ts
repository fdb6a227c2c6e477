/**
 * Throughput of one TCP session through a vxlan tunnel with segments that fit and with fragmented ones, in
 * turn, beside the same session before the tunnel. usage: mtu-cost.ts [--runs N] [--json]; see scripts/mtu-cost.
 */
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { medianOf } from "../../src/bench/statistics.ts";
import {
  exchange,
  filterIcmp,
  openPeers,
  type Peer,
  replug,
  retransmissions,
} from "../../test/support/mtu-bed.ts";
import { awayState, createTwoHosts, homeState, plugGuest } from "../../test/support/two-hosts.ts";
import { numberOf } from "./number-option.ts";

const modes = ["shrunk", "fragmented"] as const;
const directions = ["to guest", "from guest"] as const;
const windowMs = 1_500;
/** Until the ends have heard, or would have heard, the ICMP. */
const adaptMs = 500;

const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "10" }, json: { type: "boolean", default: false } },
});
const runs = numberOf("mtu-cost", "runs", options.runs, 1_000);

const interruption = new AbortController();
const { signal } = interruption;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interruption.abort());

/** Retransmission time-outs of both ends behind the tunnel, all runs together. */
const timeoutsOf = { shrunk: 0, fragmented: 0 };
const rates = new Map<string, number[]>();
for (let run = 1; run <= runs; run++) {
  for (const mode of modes) await measure(mode);
  process.stderr.write(`mtu-cost: run ${run} of ${runs}\n`);
}
const table = directions.map((direction) => {
  const before = medianOf([
    ...ratesOf("before shrunk", direction),
    ...ratesOf("before fragmented", direction),
  ]);
  const [shrunk, fragmented] = modes.map((mode) => medianOf(ratesOf(mode, direction)));
  return {
    direction,
    before_tunnel_mbps: Math.round(before ?? 0),
    shrunk_mbps: Math.round(shrunk ?? 0),
    fragmented_mbps: Math.round(fragmented ?? 0),
    fragmented_to_shrunk: Number(((fragmented ?? 0) / (shrunk ?? 1)).toFixed(2)),
  };
});
if (options.json)
  process.stdout.write(`${JSON.stringify({ runs, timeouts: timeoutsOf, table })}\n`);
else {
  console.table(table);
  console.log("retransmission time-outs:", timeoutsOf);
}

async function measure(mode: (typeof modes)[number]): Promise<void> {
  await using hosts = await createTwoHosts("vxlan");
  if (mode === "fragmented") for (const node of [hosts.client, hosts.guest]) await filterIcmp(node);
  await plugGuest(hosts, hosts.a, "guests0");
  await using peers = await openPeers(hosts);
  await exchange(peers.all, adaptMs, signal);
  await measureBoth(`before ${mode}`, peers.all);
  await hosts.planeB.apply(awayState(hosts));
  await replug(hosts);
  await hosts.planeA.apply(homeState(hosts));
  await exchange(peers.all, adaptMs, signal);
  const ends = [hosts.client, hosts.guest];
  const before = await Promise.all(ends.map(retransmissions));
  await measureBoth(mode, peers.all);
  const after = await Promise.all(ends.map(retransmissions));
  for (const [index, { timeouts }] of after.entries()) {
    timeoutsOf[mode] += timeouts - (before[index]?.timeouts ?? 0);
  }
}

async function measureBoth(label: string, peers: readonly Peer[]): Promise<void> {
  for (const [index, direction] of directions.entries()) {
    const [sender, receiver] = [peers[index], peers[1 - index]];
    if (sender === undefined || receiver === undefined) throw new Error("a session has two ends");
    const before = await receiver.ask("report");
    const startMs = performance.now();
    await sender.ask("flood");
    await setTimeout(windowMs, undefined, { signal });
    const after = await receiver.ask("report");
    const elapsedMs = performance.now() - startMs;
    await exchange(peers, 0, signal);
    const mbps = ((after.total - before.total) * 8) / 1_000 / elapsedMs;
    rates.set(`${label} ${direction}`, [...ratesOf(label, direction), mbps]);
  }
}

function ratesOf(label: string, direction: string): number[] {
  return rates.get(`${label} ${direction}`) ?? [];
}
