import { busyTable, describeAll, isAboutBusyGuests } from "../busy-table.ts";
import { figureNames } from "../figures.ts";
import { moveFactNames } from "../move-facts.ts";
import type { CellRecord, RunRecord } from "../records.ts";
import type { Strategy } from "../run.ts";
import type { BenchState } from "../state.ts";
import { medianOf } from "../statistics.ts";
import { summarizeCell } from "../summary.ts";
import { describeCell, ratioTable, strategyTable } from "../tables.ts";
import { distributionPlot } from "./distribution-plot.ts";
import { heading, htmlDocument, htmlFacts, htmlTable } from "./document.ts";
import { throughputPlots } from "./throughput-plot.ts";

/** The page of a benchmark: plots and tables of each cell. Pure. */
export function benchPage(state: BenchState): string {
  return htmlDocument("Sojourn benchmark", [
    factsOf(state),
    ...busyPart(state.cells),
    ...state.cells.filter(({ runs }) => runs.length > 0).flatMap(cellPart),
  ]);
}

function factsOf({ command, started, progress, machine }: BenchState): string {
  const { cpu, cpus, memory_mib, kernel, qemu, accelerator, node } = machine;
  return htmlFacts([
    ["command", command],
    ["started", started],
    ["state", progress],
    ["machine", `${cpu}, ${cpus} processors, ${memory_mib} MiB, Linux ${kernel}`],
    ["QEMU", `${qemu ?? "unknown"}${accelerator === null ? "" : ` (${accelerator})`}`],
    ["Node", node],
  ]);
}

function busyPart(cells: readonly CellRecord[]): string[] {
  if (!isAboutBusyGuests(cells)) return [];
  const part = [heading(2, "All cells: median (range)"), htmlTable(...busyTable(cells))];
  const all = describeAll(cells).map((text): [string, string] => ["all", text]);
  return all.length === 0 ? part : [...part, htmlFacts(all)];
}

function cellPart(cell: CellRecord): string[] {
  const summary = summarizeCell(cell);
  return [
    heading(2, describeCell(cell)),
    htmlTable(...strategyTable(summary)),
    ratioPart(htmlTable(...ratioTable(summary)), Object.keys(summary.ratios).length),
    ...distributions(cell),
    ...throughputs(cell),
    heading(3, "Every run"),
    htmlTable(
      ["strategy", "run", ...figureNames, ...moveFactNames, "failed"],
      cell.runs.map(runRow),
    ),
  ];
}

function ratioPart(table: string, count: number): string {
  return count === 0 ? "" : `${heading(3, "Ratios of medians")}\n${table}`;
}

const distributed = [
  ["tcp_echo_outage_ms", "Outage of the TCP echo session"],
  ["tcp_stream_outage_ms", "Outage of the TCP stream"],
  ["packet_outage_ms", "Outage of the packet probe"],
  ["blackout_ms", "Blackout"],
] as const;

function distributions({ strategies, runs }: CellRecord): string[] {
  return distributed.flatMap(([figure, title]) => {
    const rows = strategies.map((strategy) => ({
      name: strategy,
      values: runs.flatMap((run) => {
        const value = run.strategy === strategy ? (run.figures?.[figure] ?? null) : null;
        return value === null ? [] : [value];
      }),
    }));
    if (rows.every(({ values }) => values.length === 0)) return [];
    return [heading(3, title), distributionPlot({ title, unit: "ms", rows })];
  });
}

/** Of each strategy the run in the middle, all with one axis. */
function throughputs({ strategies, runs }: CellRecord): string[] {
  const middle = strategies.flatMap((strategy) => medianRun(runs, strategy) ?? []);
  const topMbps = middle
    .flatMap(({ throughput }) => throughput?.mbps ?? [])
    .reduce((most, one) => Math.max(most, one), 0);
  return middle.flatMap(({ strategy, run, throughput, timeline }) => {
    if (throughput === null) return [];
    const title = `Throughput of the stream: ${strategy}, run ${run}`;
    return [heading(3, title), throughputPlots({ title, throughput, marks: timeline, topMbps })];
  });
}

/** The run whose stream's outage is nearest to the median. */
export function medianRun(runs: readonly RunRecord[], strategy: Strategy): RunRecord | null {
  const drawn = runs.filter((run) => run.strategy === strategy && run.throughput !== null);
  const outage = (run: RunRecord) => run.figures?.tcp_stream_outage_ms ?? Infinity;
  const median = medianOf(drawn.map((run) => run.figures?.tcp_stream_outage_ms ?? null));
  if (median === null) return drawn[0] ?? null;
  return drawn.reduce<RunRecord | null>((best, run) => {
    const isNearer =
      best === null || Math.abs(outage(run) - median) < Math.abs(outage(best) - median);
    return isNearer ? run : best;
  }, null);
}

function runRow({ run, strategy, figures, move, failed }: RunRecord): string[] {
  const values = figureNames.map((name) => figures?.[name]?.toString() ?? "-");
  const facts = moveFactNames.map((name) => move?.[name]?.toString() ?? "-");
  return [strategy, String(run), ...values, ...facts, failed ?? ""];
}
