/**
 * Moves of one guest in a lab, in turn with and without many callers of the API, and how they compare.
 * usage: api-load.ts [--runs N] [--readers N] [--elsewhere] [--hostile] [--json] [--lab NAME]; see scripts/api-load.
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
    elsewhere: { type: "boolean", default: false },
    hostile: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    lab: { type: "string", default: "api-load" },
  },
});
const runs = numberOf("api-load", "runs", options.runs, 1000);
const readers = numberOf("api-load", "readers", options.readers, 250);
const loads: Load[] = [
  "none",
  "readers",
  ...(options.elsewhere ? (["elsewhere"] as const) : []),
  ...(options.hostile ? (["intruders"] as const) : []),
];

const probes = ["--probe", "tcp-echo:7@client", "--probe", "packet@client"];

const addressesOfCrowd = 40;

await inLab(
  "api-load",
  options.lab,
  async (lab) => {
    const apis = { here: await openApi(lab.name, "host-a"), elsewhere: null as ApiAddress | null };
    if (options.elsewhere) apis.elsewhere = await openApi(lab.name, "host-c");
    await measure(lab, apis, await addClientAddresses(lab.name, addressesOfCrowd));
  },
  { hosts: options.elsewhere ? 3 : 2 },
);

interface Apis {
  here: ApiAddress;
  /** Of a host without a part in the moves. */
  elsewhere: ApiAddress | null;
}

/** So that each load has as many moves away as back, the order of the loads turns round with each round. */
async function measure(lab: MovingLab, apis: Apis, crowd: string[]): Promise<void> {
  const moves: Move[] = [];
  let [here, there] = ["host-a", "host-b"];
  for (let run = 0; run < runs; run += 1) {
    for (const load of run % 2 === 0 ? loads : loads.toReversed()) {
      const move = await moveUnder(load, { lab, from: here, to: there }, apis, crowd);
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
  { here, elsewhere }: Apis,
  addresses: string[],
): Promise<Move> {
  const { host, port, caPath, readTokens, operateToken } =
    load === "elsewhere" ? (elsewhere ?? here) : here;
  forgetPeak(options.lab);
  if (load === "none") return moveOf(load, await migrate(lab, from, to, probes), peak());
  if (load === "readers" || load === "elsewhere") {
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
