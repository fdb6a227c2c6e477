/**
 * Moves of one guest in a lab, each measured by the probers of `sojourn migrate`, and their medians.
 * usage: outages.ts [--runs N] [--tunnel KIND] [--lab NAME] [--json]; see scripts/outages.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { downLab, labNodePrefix, upLab } from "../../src/lab/index.ts";
import type { MigrationReport } from "../../src/migrator/report.ts";

interface Figures {
  tcp_echo_outage_ms: number | null;
  tcp_echo_floor_ms: number | null;
  tcp_stream_outage_ms: number | null;
  tcp_stream_floor_ms: number | null;
  blackout_ms: number | null;
}

const columns: (keyof Figures)[] = [
  "tcp_echo_outage_ms",
  "tcp_echo_floor_ms",
  "tcp_stream_outage_ms",
  "tcp_stream_floor_ms",
  "blackout_ms",
];

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "10" },
    tunnel: { type: "string", default: "auto" },
    lab: { type: "string", default: "outages" },
    json: { type: "boolean", default: false },
  },
});
const runs = Number(options.runs);
if (!Number.isInteger(runs) || runs < 1 || runs > 10_000) {
  process.stderr.write(`outages: --runs ${options.runs}: not a number of runs\n`);
  process.exit(2);
}

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
  await measure();
} catch (error) {
  const reason = interruption.signal.aborted ? interruption.signal.reason : error;
  process.stderr.write(`outages: ${reason instanceof Error ? reason.message : reason}\n`);
  process.exitCode = interruption.signal.aborted ? 6 : 1;
} finally {
  await downLab(options.lab);
}

async function measure(): Promise<void> {
  const all: Figures[] = [];
  if (!options.json) print(["run", "move", ...columns.map(heading)].map(cell).join(""));
  for (let run = 1; run <= runs; run += 1) {
    const [from, to] = run % 2 === 1 ? ["host-a", "host-b"] : ["host-b", "host-a"];
    const figures = figuresOf(await migrate(from as string, to as string));
    all.push(figures);
    if (options.json) print(JSON.stringify({ type: "run", run, from, to, ...figures }));
    else print(row(String(run), `${from?.slice(-1)} to ${to?.slice(-1)}`, figures));
  }
  const medians = Object.fromEntries(
    columns.map((name) => [name, median(all.map((figures) => figures[name]))]),
  ) as unknown as Figures;
  if (options.json) print(JSON.stringify({ type: "medians", runs, ...medians }));
  else print(row("median", "", medians));
}

/** One move, driven and measured as a user would do it. @throws Error unless it completes with no session broken. */
async function migrate(from: string, to: string): Promise<MigrationReport> {
  const probes = ["--probe", "tcp-echo:7@client", "--probe", "tcp-stream:19@client"];
  const move = ["migrate", "web1", "--to", to, "--tunnel", options.tunnel, "--json", ...probes];
  const [program, ...args] = [...labNodePrefix(options.lab, from), "sojourn", ...move];
  interruption.signal.throwIfAborted();
  const child = spawn(program as string, args, {
    stdio: ["ignore", "pipe", "inherit"],
    signal: interruption.signal,
  });
  const [output] = await Promise.all([text(child.stdout), once(child, "close")]);
  const last = JSON.parse(output.trim().split("\n").at(-1) ?? "null");
  if (last?.type !== "report" || last.outcome !== "completed") {
    throw new Error(`${from} to ${to}: ${last?.message ?? last?.outcome ?? "no report"}`);
  }
  const report = last as MigrationReport;
  const broken = Object.values(report.probes).reduce((sum, probe) => sum + probe.broken, 0);
  if (broken > 0) throw new Error(`${from} to ${to}: ${broken} sessions broken`);
  return report;
}

function figuresOf({ probes, blackout_ms }: MigrationReport): Figures {
  return {
    tcp_echo_outage_ms: probes.tcp_echo?.outage_ms ?? null,
    tcp_echo_floor_ms: probes.tcp_echo?.floor_ms ?? null,
    tcp_stream_outage_ms: probes.tcp_stream?.outage_ms ?? null,
    tcp_stream_floor_ms: probes.tcp_stream?.floor_ms ?? null,
    blackout_ms,
  };
}

/** Of the values that were measured; null when none was. */
function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).toSorted((a, b) => a - b);
  const [low, high] = [known[(known.length - 1) >> 1], known[known.length >> 1]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

function row(first: string, second: string, figures: Figures): string {
  const cells = columns.map((name) => figures[name]?.toFixed(1) ?? "-");
  return [first, second, ...cells].map(cell).join("");
}

function heading(name: string): string {
  return name.replace("tcp_", "").replace("_ms", "").replace("_", " ");
}

function cell(value: string, index: number): string {
  return index < 2 ? value.padEnd(8) : value.padStart(16);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
