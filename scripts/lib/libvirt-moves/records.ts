import { ratioBounds } from "../../../src/bench/ratio-bounds.ts";
import { medianOf, ratioOf, statisticsOf } from "../../../src/bench/statistics.ts";
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
}

const comparisons: readonly (readonly [MethodName, MethodName])[] = [
  ["libvirt", "qemu"],
  ["libvirt", "hook"],
  ["libvirt", "script"],
  ["hook", "script"],
];

/** Median, p95 and largest of each method, and how the outages of Sojourn's libvirt driver compare with the others'. */
export function summaryOf(moves: readonly Move[]) {
  const methods = [...new Set(moves.map(({ method }) => method))];
  const outages = Object.fromEntries(methods.map((method) => [method, outagesOf(moves, method)]));
  const pairs = comparisons.filter((pair) => pair.every((method) => methods.includes(method)));
  return {
    type: "summary" as const,
    methods: Object.fromEntries(methods.map((method) => [method, figuresOf(moves, method)])),
    ratios: Object.fromEntries(
      pairs.map(([one, other]) => {
        const [these, others] = [outages[one] ?? [], outages[other] ?? []];
        const ratio = ratioOf(medianOf(these), medianOf(others));
        // Bounds that hold the ratio with 95 %; a difference is measurable when 1 lies outside.
        return [`${one}/${other}`, { outage: ratio, outage_95: ratioBounds(these, others) }];
      }),
    ),
  };
}

function figuresOf(moves: readonly Move[], method: MethodName) {
  const these = moves.filter((move) => move.method === method);
  const sum = (name: "packets_lost" | "sessions_broken" | "rto") =>
    these.reduce((total, move) => total + (move[name] ?? 0), 0);
  return {
    moves: these.length,
    tcp_echo_outage_ms: statisticsOf(these.map((move) => move.tcp_echo_outage_ms)),
    tcp_echo_floor_ms: statisticsOf(these.map((move) => move.tcp_echo_floor_ms)),
    packet_outage_ms: statisticsOf(these.map((move) => move.packet_outage_ms)),
    blackout_ms: statisticsOf(these.map((move) => move.blackout_ms)),
    total_ms: statisticsOf(these.map((move) => move.total_ms)),
    packets_lost: sum("packets_lost"),
    rto: sum("rto"),
    sessions_broken: sum("sessions_broken"),
  };
}

function outagesOf(moves: readonly Move[], method: MethodName): number[] {
  const these = moves.filter((move) => move.method === method);
  return these.flatMap(({ tcp_echo_outage_ms }) => tcp_echo_outage_ms ?? []);
}
