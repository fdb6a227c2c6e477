import type { PacketCounts } from "./series.ts";

/** What one kind of session saw of a migration; field names are the report's. */
export interface SessionResult {
  /**
   * Longest time between two consecutive arrivals that touches the migration, in milliseconds.
   * Null when nothing was measured or a session broke: a session that ended has no end of its hole.
   */
  outage_ms: number | null;
  /** Longest such time before the migration: what this path and this prober do on their own. */
  floor_ms: number | null;
  sessions: number;
  broken: number;
  /** Segments that the prober's side sent again from the migration's start to its settling. */
  retransmissions: number | null;
  /** Retransmission timers of the prober's side that fired in that time (RFC 6298). */
  rto: number | null;
}

export type TcpEchoResult = SessionResult;

/** What a bulk download or upload saw of a migration. */
export interface TcpStreamResult extends SessionResult {
  /** Mean throughput from readiness to the migration's start, in Mbit/s. */
  before_mbps: number | null;
  /** Mean throughput of the last second of the measurement, all of it after the resume, in Mbit/s. */
  after_mbps: number | null;
  /** From the resume to the first moment that begins 100 ms with at least 90 % of `before_mbps`. */
  recovery_ms: number | null;
}

/** What an HTTP client saw of a migration, and what the guest said of itself through it. */
export interface HttpResult extends SessionResult {
  /** Answers with a status of 400 or more. */
  status_errors: number;
  /** Change of the guest's wall clock against the prober's monotonic clock, across the blackout. */
  guest_clock_step_ms: number | null;
  /** Bound on the error of that change: both questions' half round trips. */
  guest_clock_error_ms: number | null;
  /** The same two as above at the guest's side, of all its sessions together. */
  guest_retransmissions: number | null;
  guest_rto: number | null;
}

/** What echo requests of ICMP saw: counts of the whole measurement, outage and floor as with sessions. */
export interface PacketResult extends PacketCounts {
  outage_ms: number | null;
  floor_ms: number | null;
}

/** The `probes` object of a report; a probe that did not run is absent. */
export interface ProbeResults {
  tcp_echo?: TcpEchoResult;
  tcp_stream?: TcpStreamResult;
  tcp_upload?: TcpStreamResult;
  http?: HttpResult;
  packet?: PacketResult;
}

/** The results of the kinds that hold sessions, of those that ran. */
export function sessionResults(results: ProbeResults): SessionResult[] {
  const { tcp_echo, tcp_stream, tcp_upload, http } = results;
  return [tcp_echo, tcp_stream, tcp_upload, http].filter((one) => one !== undefined);
}

/** The moments that divide a series, on the prober's monotonic clock. */
export interface MigrationInstants {
  startMs: number;
  /** When the guest was stopped at the source; null or absent when that is not known. */
  stoppedMs?: number | null;
  /** When the guest ran at the destination; null when it never did. */
  resumedMs: number | null;
  settledMs: number;
}
