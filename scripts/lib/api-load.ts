/**
 * Moves of one guest in a lab, in turn with and without many callers of the API, and how they compare.
 * usage: api-load.ts [--runs N] [--readers N] [--hostile] [--json] [--lab NAME]; see scripts/api-load.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { downLab, labNodePrefix, upLab } from "../../src/lab/index.ts";
import type { MigrationReport } from "../../src/migrator/report.ts";
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

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "6" },
    readers: { type: "string", default: "200" },
    hostile: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    lab: { type: "string", default: "api-load" },
  },
});
const runs = numberOf("runs", options.runs, 1000);
const readers = numberOf("readers", options.readers, 250);
const loads: Load[] = options.hostile ? ["none", "readers", "intruders"] : ["none", "readers"];

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => interruption.abort(new Error(`interrupted by ${signal}`)));
}

try {
  await upLab({
    lab: options.lab,
    hosts: 2,
    signal: interruption.signal,
    onProgress: (_step, message) => process.stderr.write(`lab: ${message}\n`),
  });
  await measure(await openApi(options.lab), await addClientAddresses(options.lab, 40));
} catch (error) {
  const reason = interruption.signal.aborted ? interruption.signal.reason : error;
  process.stderr.write(`api-load: ${reason instanceof Error ? reason.message : reason}\n`);
  process.exitCode = interruption.signal.aborted ? 6 : 1;
} finally {
  await downLab(options.lab);
}

/** So that each load has as many moves away as back, the order of the loads turns round with each round. */
async function measure(api: ApiAddress, crowd: string[]): Promise<void> {
  const moves: Move[] = [];
  let [here, there] = ["host-a", "host-b"];
  for (let run = 0; run < runs; run += 1) {
    for (const load of run % 2 === 0 ? loads : loads.toReversed()) {
      const move = await moveUnder(load, here, there, api, crowd);
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
  from: string,
  to: string,
  api: ApiAddress,
  addresses: string[],
): Promise<Move> {
  const { host, port, caPath, readTokens, operateToken } = api;
  forgetPeak(options.lab);
  if (load === "none") return moveOf(load, await migrate(from, to), peak());
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
    const report = await migrate(from, to);
    const result = await crowd.disperse();
    return { ...moveOf(load, report, peak()), readers: result };
  }
  const tokens = { read: readTokens[0] as string, operate: operateToken };
  const wish: IntrudersOptions = { host, port, caPath, tokens, connections: 10_000, addresses };
  await using crowd = await Crowd.gather<IntrudersResult>(options.lab, "intruders.ts", wish);
  const report = await migrate(from, to);
  const result = await crowd.disperse();
  return { ...moveOf(load, report, peak()), intruders: result };
}

function peak(): number {
  return daemonMemory(options.lab).peakMiB;
}

/** One move, driven and measured as a user would do it. @throws Error unless it completes. */
async function migrate(from: string, to: string): Promise<MigrationReport> {
  const probes = ["--probe", "tcp-echo:7@client", "--probe", "packet@client"];
  const move = ["sojourn", "migrate", "web1", "--to", to, "--json", ...probes];
  const [program, ...args] = [...labNodePrefix(options.lab, from), ...move];
  interruption.signal.throwIfAborted();
  const child = spawn(program as string, args, {
    stdio: ["ignore", "pipe", "inherit"],
    signal: interruption.signal,
  });
  const [output] = await Promise.all([text(child.stdout), once(child, "close")]);
  const last = JSON.parse(output.trim().split("\n").at(-1) ?? "null");
  if (last?.type === "report" && last.outcome === "completed") return last as MigrationReport;
  throw new Error(`${from} to ${to}: ${last?.message ?? last?.outcome ?? "no report"}`);
}

function numberOf(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  process.stderr.write(`api-load: --${name} ${text}: not a number between 1 and ${most}\n`);
  process.exit(2);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
