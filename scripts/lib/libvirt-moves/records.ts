import { ratioBounds } from "../../../src/bench/ratio-bounds.ts";
import { medianOf, ratioOf, type Statistics, statisticsOf } from "../../../src/bench/statistics.ts";
import type { TimelineEntry } from "../../../src/migrator/report.ts";
import type { MethodName } from "./methods.ts";

/** What one move has cost; null where it was not measured. */
export interface Move {
  type: "move";
  /** From 1; every method moves its guest once in each. */
  round: number;
  method: MethodName;
  from: string;
  to: string;
  tcp_echo_outage_ms: number | null;
  tcp_echo_floor_ms: number | null;
  packet_outage_ms: number | null;
  packets_lost: number | null;
  blackout_ms: number | null;
  /** Until the command, and the script after it, had returned. */
  total_ms: number;
  /** Retransmission timers of the session's that fired. */
  rto: number | null;
  sessions_broken: number;
  timeline: TimelineEntry[];
}

/** Told as median, p95 and largest of a method. */
export const spread = [
  "tcp_echo_outage_ms",
  "tcp_echo_floor_ms",
  "packet_outage_ms",
  "blackout_ms",
  "total_ms",
] as const;

/** Told as the sum over a method's moves. */
export const counted = ["packets_lost", "rto", "sessions_broken"] as const;

type Figures = Record<(typeof spread)[number], Statistics> &
  Record<(typeof counted)[number] | "moves", number>;

/** Of medians, and bounds that hold it with 95 % (bootstrap): a difference is measurable when 1 lies outside. */
export interface Ratio {
  of_medians: number | null;
  bounds_95: [low: number, high: number] | null;
}

const comparisons: readonly (readonly [MethodName, MethodName])[] = [
  ["libvirt", "qemu"],
  ["libvirt", "hook"],
  ["libvirt", "script"],
  ["hook", "script"],
];

/** What each method cost, and how methods compare. */
export function summaryOf(moves: readonly Move[]) {
  const methods = [...new Set(moves.map(({ method }) => method))];
  const pairs = comparisons.filter((pair) => pair.every((method) => methods.includes(method)));
  const figures = methods.map((method): [string, Figures] => [method, figuresOf(moves, method)]);
  const ratios = pairs.map(([one, other]): [string, Record<"outage" | "blackout", Ratio>] => [
    `${one}/${other}`,
    {
      outage: ratio(moves, one, other, "tcp_echo_outage_ms"),
      blackout: ratio(moves, one, other, "blackout_ms"),
    },
  ]);
  return {
    type: "summary" as const,
    methods: Object.fromEntries(figures),
    ratios: Object.fromEntries(ratios),
  };
}

function figuresOf(moves: readonly Move[], method: MethodName): Figures {
  const of = (name: (typeof spread | typeof counted)[number]) => valuesOf(moves, method, name);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    moves: moves.filter((move) => move.method === method).length,
    ...Object.fromEntries(spread.map((name) => [name, statisticsOf(of(name))])),
    ...Object.fromEntries(counted.map((name) => [name, sum(of(name))])),
  } as Figures;
}

function ratio(
  moves: readonly Move[],
  one: MethodName,
  other: MethodName,
  name: (typeof spread)[number],
): Ratio {
  const [these, others] = [valuesOf(moves, one, name), valuesOf(moves, other, name)];
  return {
    of_medians: ratioOf(medianOf(these), medianOf(others)),
    bounds_95: ratioBounds(these, others),
  };
}

/** Those that were measured. */
function valuesOf(
  moves: readonly Move[],
  method: MethodName,
  name: (typeof spread | typeof counted)[number],
): number[] {
  return moves.flatMap((move) => (move.method === method ? (move[name] ?? []) : []));
}
