import type { RunFigures } from "./figures.ts";
import { wasTooBusy } from "./move-facts.ts";
import { type LimitKept, limitKept, type MoveSummary, summarizeMoves } from "./move-summary.ts";
import type { Cell, CellRecord, RunRecord } from "./records.ts";
import { controls, type Strategy } from "./run.ts";
import { ratioOf, type Statistics, statisticsOf, sumOf } from "./statistics.ts";

/** All runs of one strategy. Counts are sums over the runs; null where nothing counted. */
export interface StrategySummary {
  /** Runs that completed. */
  runs: number;
  failed: number;
  tcp_echo_outage_ms: Statistics;
  tcp_stream_outage_ms: Statistics;
  blackout_ms: Statistics;
  control_ms: Statistics;
  packets_lost: number | null;
  packets_reordered: number | null;
  packets_duplicated: number | null;
  rto: number | null;
  sessions_broken: number | null;
}

/** Medians divided by medians. */
export interface Ratio {
  tcp_echo: number | null;
  tcp_stream: number | null;
}

export interface Summary {
  strategies: Partial<Record<Strategy, StrategySummary>>;
  /** By `A/B`. */
  ratios: Record<string, Ratio>;
  moves: MoveSummary;
}

/** The last line of `sojourn bench --json`: the first cell's summary, and with several cells each one's. */
export interface BenchSummary extends Summary {
  cells?: (Cell & Summary)[];
  /** Over all cells. */
  within_limit: LimitKept;
  /** Over all cells whose guest writes memory and was asked; null where none was. */
  corrupt_pages: number | null;
}

export function summarizeCell({ strategies, runs }: Pick<CellRecord, "strategies" | "runs">) {
  const summaries: Summary["strategies"] = {};
  for (const strategy of strategies) {
    summaries[strategy] = summarizeRuns(runs.filter((run) => run.strategy === strategy));
  }
  const ratios = ratiosOf(summaries);
  return { strategies: summaries, ratios, moves: summarizeMoves(runs) } satisfies Summary;
}

export function summarizeCells(cells: readonly CellRecord[]): BenchSummary {
  const summaries = cells.map(summarizeCell);
  const first: Summary = summaries[0] ?? summarizeCell({ strategies: [], runs: [] });
  const within_limit = limitKept(cells.flatMap(({ runs }) => runs));
  const corrupt_pages = sumOf(cells.map((cell) => cell.corrupt_pages ?? null));
  const overAll = { within_limit, corrupt_pages };
  if (cells.length < 2) return { ...first, ...overAll };
  const all = cells.map(
    ({ strategies: _strategies, load: _load, runs: _runs, ...cell }, index) => ({
      ...cell,
      ...(summaries[index] as Summary),
    }),
  );
  return { ...first, cells: all, ...overAll };
}

/**
 * A sentence for each strategy of a cell none of whose runs completed, with the last failure; not where the guest was
 * too busy. Pure.
 */
export function hopelessStrategies(cells: readonly CellRecord[]): string[] {
  return cells.flatMap(({ strategies, runs }, index) =>
    strategies.flatMap((strategy) => {
      const own = runs.filter((run) => run.strategy === strategy);
      const last = own.at(-1);
      if (last === undefined || own.some(hasResult)) return [];
      const place = cells.length < 2 ? "" : ` of cell ${index + 1}`;
      const count = `${own.length} of ${own.length} runs${place} failed`;
      return [`${strategy}: ${count}; the last time: ${last.failed}`];
    }),
  );
}

function hasResult({ failed, move }: RunRecord): boolean {
  return failed === null || wasTooBusy(move);
}

function summarizeRuns(runs: readonly RunRecord[]): StrategySummary {
  const figures = runs.flatMap((run) => (run.figures === null ? [] : [run.figures]));
  const all = (name: keyof RunFigures) => figures.map((one) => one[name]);
  return {
    runs: figures.length,
    failed: runs.length - figures.length,
    tcp_echo_outage_ms: statisticsOf(all("tcp_echo_outage_ms")),
    tcp_stream_outage_ms: statisticsOf(all("tcp_stream_outage_ms")),
    blackout_ms: statisticsOf(all("blackout_ms")),
    control_ms: statisticsOf(all("control_ms")),
    packets_lost: sumOf(all("packets_lost")),
    packets_reordered: sumOf(all("packets_reordered")),
    packets_duplicated: sumOf(all("packets_duplicated")),
    rto: sumOf(all("rto")),
    sessions_broken: sumOf(all("sessions_broken")),
  };
}

/** Every strategy over each control, every other way over `lossless`, and the one control over the other. */
function ratiosOf(summaries: Summary["strategies"]): Summary["ratios"] {
  const present = Object.keys(summaries) as Strategy[];
  const ratios: Summary["ratios"] = {};
  for (const divisor of ["same-subnet", "pause", "lossless"] as const) {
    for (const dividend of present) {
      if (!isComparison(dividend, divisor)) continue;
      const [above, below] = [summaries[dividend], summaries[divisor]];
      if (above === undefined || below === undefined) continue;
      ratios[`${dividend}/${divisor}`] = {
        tcp_echo: ratioOf(above.tcp_echo_outage_ms.median, below.tcp_echo_outage_ms.median),
        tcp_stream: ratioOf(above.tcp_stream_outage_ms.median, below.tcp_stream_outage_ms.median),
      };
    }
  }
  return ratios;
}

function isComparison(dividend: Strategy, divisor: Strategy): boolean {
  if (dividend === divisor || dividend === "pause") return false;
  return divisor === "pause" || !controls.some((control) => control === dividend);
}
