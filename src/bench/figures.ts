import { sessionResults } from "../probe/results.ts";
import type { RunResult } from "./run.ts";
import { sumOf } from "./statistics.ts";

/** What one run comes down to, as it is printed and stored. What was not measured is null. */
export interface RunFigures {
  tcp_echo_outage_ms: number | null;
  tcp_echo_floor_ms: number | null;
  tcp_stream_outage_ms: number | null;
  tcp_stream_floor_ms: number | null;
  packet_outage_ms: number | null;
  blackout_ms: number | null;
  control_ms: number | null;
  total_ms: number | null;
  before_mbps: number | null;
  after_mbps: number | null;
  packets_lost: number | null;
  packets_reordered: number | null;
  packets_duplicated: number | null;
  /** Answers that ping had no room for: with any, the lost ones are a lower bound (`PacketCounts`). */
  packets_unread: number | null;
  retransmissions: number | null;
  /** Retransmission timers that fired, at the probers' side and, where the guest tells, at the guest's. */
  rto: number | null;
  sessions_broken: number | null;
}

/** Names in the order in which they are printed and written. */
export const figureNames = [
  "tcp_echo_outage_ms",
  "tcp_echo_floor_ms",
  "tcp_stream_outage_ms",
  "tcp_stream_floor_ms",
  "packet_outage_ms",
  "blackout_ms",
  "control_ms",
  "total_ms",
  "before_mbps",
  "after_mbps",
  "packets_lost",
  "packets_reordered",
  "packets_duplicated",
  "packets_unread",
  "retransmissions",
  "rto",
  "sessions_broken",
] as const satisfies readonly (keyof RunFigures)[];

export function figuresOf({ probes, blackoutMs, controlMs, totalMs }: RunResult): RunFigures {
  const { tcp_echo: echo, tcp_stream: stream, http, packet } = probes;
  const sessions = sessionResults(probes);
  return {
    tcp_echo_outage_ms: echo?.outage_ms ?? null,
    tcp_echo_floor_ms: echo?.floor_ms ?? null,
    tcp_stream_outage_ms: stream?.outage_ms ?? null,
    tcp_stream_floor_ms: stream?.floor_ms ?? null,
    packet_outage_ms: packet?.outage_ms ?? null,
    blackout_ms: blackoutMs,
    control_ms: controlMs,
    total_ms: totalMs,
    before_mbps: stream?.before_mbps ?? null,
    after_mbps: stream?.after_mbps ?? null,
    packets_lost: packet?.lost ?? null,
    packets_reordered: packet?.reordered ?? null,
    packets_duplicated: packet?.duplicated ?? null,
    packets_unread: packet?.unread ?? null,
    retransmissions: sumOf(sessions.map((session) => session.retransmissions)),
    rto: sumOf([...sessions.map((session) => session.rto), http?.guest_rto ?? null]),
    sessions_broken: sumOf(sessions.map((session) => session.broken)),
  };
}
