/**
 * Moves of one guest in a lab, in turn with and without many callers of the API, and how they compare.
 * usage: api-load.ts [--runs N] [--readers N] [--hostile] [--json] [--lab NAME]; see scripts/api-load.
 */
import { parseArgs } from "node:util";
import {
  type ApiAddress,
  addClientAddresses,
  daemonMemory,
  forgetPeak,
  openApi,
} from "./api-load/bed.ts";
import { Crowd } from "./api-load/crowd.ts";
import type { IntrudersOptions, IntrudersResult } from "./api-load/intruders.ts";
import type { ReadersOptions, ReadersResult } from "./api-load/readers.ts";
import { type Load, type Move, moveOf, summaryOf } from "./api-load/records.ts";
import { printMove, printSummary } from "./api-load/tables.ts";
import { inLab, type MovingLab, migrate, print } from "./lab-moves.ts";
import { numberOf } from "./number-option.ts";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "6" },
    readers: { type: "string", default: "200" },
    hostile: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    lab: { type: "string", default: "api-load" },
  },
});
const runs = numberOf("api-load", "runs", options.runs, 1000);
const readers = numberOf("api-load", "readers", options.readers, 250);
const loads: Load[] = options.hostile ? ["none", "readers", "intruders"] : ["none", "readers"];

const probes = ["--probe", "tcp-echo:7@client", "--probe", "packet@client"];

await inLab("api-load", options.lab, async (lab) => {
  await measure(lab, await openApi(lab.name), await addClientAddresses(lab.name, 40));
});

/** So that each load has as many moves away as back, the order of the loads turns round with each round. */
async function measure(lab: MovingLab, api: ApiAddress, crowd: string[]): Promise<void> {
  const moves: Move[] = [];
  let [here, there] = ["host-a", "host-b"];
  for (let run = 0; run < runs; run += 1) {
    for (const load of run % 2 === 0 ? loads : loads.toReversed()) {
      const move = await moveUnder(load, { lab, from: here, to: there }, api, crowd);
      moves.push(move);
      if (options.json) print(JSON.stringify(move));
      else printMove(move, moves.length);
      [here, there] = [there, here];
    }
  }
  const summary = summaryOf(moves);
  if (options.json) print(JSON.stringify(summary));
  else printSummary(summary);
  const wrong = moves.flatMap(({ intruders }) => intruders?.wrong ?? []);
  const lost = moves.reduce((sum, { packets_lost }) => sum + (packets_lost ?? 0), 0);
  if (wrong.length > 0) throw new Error(`not refused: ${wrong.join(", ")}`);
  if (lost > 0) throw new Error(`${lost} packets lost`);
}

async function moveUnder(
  load: Load,
  { lab, from, to }: { lab: MovingLab; from: string; to: string },
  api: ApiAddress,
  addresses: string[],
): Promise<Move> {
  const { host, port, caPath, readTokens, operateToken } = api;
  forgetPeak(options.lab);
  if (load === "none") return moveOf(load, await migrate(lab, from, to, probes), peak());
  if (load === "readers") {
    const wish: ReadersOptions = {
      host,
      port,
      caPath,
      tokens: readTokens,
      readers,
      intervalMs: 1000,
    };
    await using crowd = await Crowd.gather<ReadersResult>(options.lab, "readers.ts", wish);
    const report = await migrate(lab, from, to, probes);
    const result = await crowd.disperse();
    return { ...moveOf(load, report, peak()), readers: result };
  }
  const tokens = { read: readTokens[0] as string, operate: operateToken };
  const wish: IntrudersOptions = { host, port, caPath, tokens, connections: 10_000, addresses };
  await using crowd = await Crowd.gather<IntrudersResult>(options.lab, "intruders.ts", wish);
  const report = await migrate(lab, from, to, probes);
  const result = await crowd.disperse();
  return { ...moveOf(load, report, peak()), intruders: result };
}

function peak(): number {
  return daemonMemory(options.lab).peakMiB;
}
