import { controlMsOf } from "../../../src/bench/migrate-lines.ts";
import { ratioBounds } from "../../../src/bench/ratio-bounds.ts";
import { medianOf, ratioOf, statisticsOf } from "../../../src/bench/statistics.ts";
import type { MigrationReport } from "../../../src/migrator/report.ts";
import type { IntrudersResult } from "./intruders.ts";
import type { ReadersResult } from "./readers.ts";

/**
 * What goes on during a move: nothing, readers of host-a's API, callers of it that are to be refused, or the same
 * readers at the API of host-c, which shares the machine and has no part in the move: what they cost there is the
 * machine's, not the API's.
 */
export type Load = "none" | "readers" | "intruders" | "elsewhere";

export interface Move {
  type: "move";
  load: Load;
  from: string;
  to: string;
  blackout_ms: number | null;
  control_ms: number | null;
  echo_outage_ms: number | null;
  packets_lost: number | null;
  sessions_broken: number;
  daemon_peak_mib: number;
  timeline: MigrationReport["timeline"];
  readers: ReadersResult | null;
  intruders: IntrudersResult | null;
}

export function moveOf(load: Load, report: MigrationReport, daemonPeakMiB: number): Move {
  const { probes, from, to, blackout_ms } = report;
  const broken = probes.tcp_echo?.broken ?? 0;
  return {
    ...{ type: "move", load, from, to, blackout_ms, control_ms: controlMsOf(report.timeline) },
    echo_outage_ms: probes.tcp_echo?.outage_ms ?? null,
    packets_lost: probes.packet?.lost ?? null,
    ...{ sessions_broken: broken, daemon_peak_mib: daemonPeakMiB },
    ...{ timeline: report.timeline, readers: null, intruders: null },
  };
}

interface Ratios {
  blackout: number | null;
  /** Bounds that hold the blackout's ratio with 95 % (bootstrap); a difference is measurable when 1 lies outside. */
  blackout_95: [low: number, high: number] | null;
  control: number | null;
  echo_outage: number | null;
}

/** Medians of each load, how they compare with those of moves without any, and readers here with readers elsewhere. */
export function summaryOf(moves: readonly Move[]) {
  const loads = [...new Set(moves.map(({ load }) => load))];
  const medians = Object.fromEntries(loads.map((load) => [load, mediansOf(moves, load)]));
  const pairs: [Load, Load][] = loads.slice(1).map((load) => [load, "none"]);
  if (loads.includes("elsewhere")) pairs.push(["readers", "elsewhere"]);
  const ratios = pairs.map(([load, other]): [string, Ratios] => [
    `${load}/${other}`,
    {
      blackout: ratioOf(medians[load]?.blackout_ms ?? null, medians[other]?.blackout_ms ?? null),
      blackout_95: ratioBounds(blackouts(moves, load), blackouts(moves, other)),
      control: ratioOf(medians[load]?.control_ms ?? null, medians[other]?.control_ms ?? null),
      echo_outage: ratioOf(
        medians[load]?.echo_outage_ms ?? null,
        medians[other]?.echo_outage_ms ?? null,
      ),
    },
  ]);
  return { type: "summary", medians, ratios: Object.fromEntries(ratios), api: apiOf(moves) };
}

function blackouts(moves: readonly Move[], load: Load): number[] {
  const these = moves.filter((move) => move.load === load);
  return these.flatMap(({ blackout_ms }) => blackout_ms ?? []);
}

function mediansOf(moves: readonly Move[], load: Load) {
  const these = moves.filter((move) => move.load === load);
  return {
    moves: these.length,
    blackout_ms: medianOf(these.map(({ blackout_ms }) => blackout_ms)),
    control_ms: medianOf(these.map(({ control_ms }) => control_ms)),
    echo_outage_ms: medianOf(these.map(({ echo_outage_ms }) => echo_outage_ms)),
    packets_lost: these.reduce((sum, { packets_lost }) => sum + (packets_lost ?? 0), 0),
    sessions_broken: these.reduce((sum, { sessions_broken }) => sum + sessions_broken, 0),
    daemon_peak_mib: Math.max(...these.map(({ daemon_peak_mib }) => daemon_peak_mib)),
  };
}

function apiOf(moves: readonly Move[]) {
  const results = moves.flatMap(({ load, readers }) => (load === "readers" && readers) || []);
  const latencies = results.flatMap(({ latenciesMs }) => latenciesMs).toSorted((a, b) => a - b);
  const outcomes: Record<string, number> = {};
  for (const [outcome, count] of results.flatMap((result) => Object.entries(result.outcomes))) {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
  }
  return {
    requests: latencies.length,
    p50_ms: statisticsOf(latencies).median,
    p99_ms: latencies[Math.ceil(0.99 * latencies.length) - 1] ?? null,
    max_ms: statisticsOf(latencies).max,
    outcomes,
  };
}
