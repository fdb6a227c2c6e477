import { ratioBounds } from "../../../src/bench/ratio-bounds.ts";
import { medianOf, ratioOf, type Statistics, statisticsOf } from "../../../src/bench/statistics.ts";
import type { MigrationReport } from "../../../src/migrator/report.ts";

/** What one move has cost; null where it was not measured. */
export interface Move {
  type: "move";
  /** From 1; the guest moves there and back once with each number of flows. */
  round: number;
  /** That home was made to track; sessions of probers come on top. */
  flows: number;
  from: string;
  to: string;
  blackout_ms: number | null;
  tcp_echo_outage_ms: number | null;
  tcp_echo_floor_ms: number | null;
  established: number | null;
  survived: number | null;
  carried: number | null;
  carry_ms: number | null;
  difference_ms: number | null;
  total_ms: number;
}

/** Told as median, p95 and largest. */
export const spread = [
  "blackout_ms",
  "tcp_echo_outage_ms",
  "tcp_echo_floor_ms",
  "carry_ms",
  "difference_ms",
  "total_ms",
] as const;

const compared = ["blackout_ms", "tcp_echo_outage_ms"] as const;

type Figures = Record<(typeof spread)[number], Statistics> & { flows: number; moves: number };

/** To the smallest number of flows: of medians, and bounds that hold it with 95 % (bootstrap). */
interface Ratio {
  of_medians: number | null;
  bounds_95: [low: number, high: number] | null;
}

/** @throws Error when a session was broken, or an established flow was not known at the destination. */
export function moveOf(round: number, flows: number, report: MigrationReport): Move {
  const { from, to, probes, blackout_ms, total_ms, flows: told } = report;
  if (told === null || told.established < flows) {
    throw new Error(`${from} to ${to}: ${flows} flows, but told of ${JSON.stringify(told)}`);
  }
  const broken = probes.tcp_echo?.broken ?? 0;
  if (broken > 0 || told.survived !== told.established || (told.carried ?? 0) < told.established) {
    throw new Error(`${from} to ${to}: ${broken} sessions broken, flows ${JSON.stringify(told)}`);
  }
  return {
    ...{ type: "move", round, flows, from, to, blackout_ms },
    tcp_echo_outage_ms: probes.tcp_echo?.outage_ms ?? null,
    tcp_echo_floor_ms: probes.tcp_echo?.floor_ms ?? null,
    ...{ established: told.established, survived: told.survived, carried: told.carried ?? null },
    ...{ carry_ms: told.carry_ms ?? null, difference_ms: told.difference_ms ?? null, total_ms },
  };
}

/** What each number of flows cost, and its ratio to the smallest. */
export function summaryOf(counts: readonly number[], moves: readonly Move[]) {
  const [smallest = 0, ...others] = counts;
  return {
    type: "summary" as const,
    flows: counts.map((count) => figuresOf(count, moves)),
    ratios: others.map((count) => ({
      flows: count,
      to: smallest,
      blackout_ms: ratio(moves, count, smallest, "blackout_ms"),
      tcp_echo_outage_ms: ratio(moves, count, smallest, "tcp_echo_outage_ms"),
    })),
  };
}

function figuresOf(flows: number, moves: readonly Move[]): Figures {
  const own = moves.filter((move) => move.flows === flows);
  const statistics = spread.map((name) => [name, statisticsOf(own.map((move) => move[name]))]);
  return { ...Object.fromEntries(statistics), flows, moves: own.length };
}

function ratio(
  moves: readonly Move[],
  one: number,
  other: number,
  name: (typeof compared)[number],
): Ratio {
  const [these, those] = [one, other].map((flows) =>
    moves.filter((move) => move.flows === flows).flatMap((move) => move[name] ?? []),
  ) as [number[], number[]];
  return {
    of_medians: ratioOf(medianOf(these), medianOf(those)),
    bounds_95: ratioBounds(these, those),
  };
}
