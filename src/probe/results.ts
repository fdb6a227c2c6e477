/** What one kind of echo session saw of a migration; field names are the report's. */
export interface TcpEchoResult {
  /**
   * Longest time between two consecutive arrivals that touches the migration, in milliseconds.
   * Null when nothing was measured or a session broke: a session that ended has no end of its hole.
   */
  outage_ms: number | null;
  /** Longest such time before the migration: what this path and this prober do on their own. */
  floor_ms: number | null;
  sessions: number;
  broken: number;
}

/** What a bulk download saw of a migration. */
export interface TcpStreamResult extends TcpEchoResult {
  /** Mean throughput from readiness to the migration's start, in Mbit/s. */
  before_mbps: number | null;
  /** Mean throughput of the last second of the measurement, all of it after the resume, in Mbit/s. */
  after_mbps: number | null;
  /** From the resume to the first moment that begins 100 ms with at least 90 % of `before_mbps`. */
  recovery_ms: number | null;
}

/** The `probes` object of a report; a probe that did not run is absent. */
export interface ProbeResults {
  tcp_echo?: TcpEchoResult;
  tcp_stream?: TcpStreamResult;
}

/** The moments that divide a series, on the prober's monotonic clock. */
export interface MigrationInstants {
  startMs: number;
  /** When the guest ran at the destination; null when it never did. */
  resumedMs: number | null;
  settledMs: number;
}
