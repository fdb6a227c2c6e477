/**
 * Moves of one guest in a lab, each measured by the probers of `sojourn migrate`, and their medians.
 * usage: outages.ts [--runs N] [--tunnel KIND] [--lab NAME] [--json]; see scripts/outages.
 */
import { parseArgs } from "node:util";
import { medianOf } from "../../src/bench/statistics.ts";
import type { MigrationReport } from "../../src/migrator/report.ts";
import { inLab, type MovingLab, migrate, print } from "./lab-moves.ts";
import { numberOf } from "./number-option.ts";

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
const runs = numberOf("outages", "runs", options.runs, 10_000);

await inLab("outages", options.lab, measure);

async function measure(lab: MovingLab): Promise<void> {
  const all: Figures[] = [];
  if (!options.json) print(["run", "move", ...columns.map(heading)].map(cell).join(""));
  for (let run = 1; run <= runs; run += 1) {
    const [from, to] = run % 2 === 1 ? ["host-a", "host-b"] : ["host-b", "host-a"];
    const figures = figuresOf(await measuredMove(lab, from as string, to as string));
    all.push(figures);
    if (options.json) print(JSON.stringify({ type: "run", run, from, to, ...figures }));
    else print(row(String(run), `${from?.slice(-1)} to ${to?.slice(-1)}`, figures));
  }
  const medians = Object.fromEntries(
    columns.map((name) => [name, medianOf(all.map((figures) => figures[name]))]),
  ) as unknown as Figures;
  if (options.json) print(JSON.stringify({ type: "medians", runs, ...medians }));
  else print(row("median", "", medians));
}

/** @throws Error unless it completes with no session broken. */
async function measuredMove(lab: MovingLab, from: string, to: string): Promise<MigrationReport> {
  const probes = ["--probe", "tcp-echo:7@client", "--probe", "tcp-stream:19@client"];
  const report = await migrate(lab, from, to, ["--tunnel", options.tunnel, ...probes]);
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
