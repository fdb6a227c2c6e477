export type ProbeKind = "tcp-echo" | "tcp-stream";

export const probeKinds: readonly ProbeKind[] = ["tcp-echo", "tcp-stream"];

/** Ports of RFC 862 and RFC 864. */
export const defaultPorts: Readonly<Record<ProbeKind, number>> = {
  "tcp-echo": 7,
  "tcp-stream": 19,
};

/** One reading of both clocks of the prober's machine. */
export interface ProbeClock {
  /** CLOCK_MONOTONIC: comparable between processes of one machine, in any network namespace. */
  monotonicMs: number;
  /** The wall clock at that moment. */
  wallClockMs: number;
  /** Bound on the time between the two readings. */
  uncertaintyMs: number;
}

export interface SessionBreak {
  atMs: number;
  reason: BreakReason;
  message: string;
}

/** `mismatch`: bytes lost, changed or out of order. `closed`: the peer ended it. `failed`: the kernel did. */
export type BreakReason = "mismatch" | "closed" | "failed";

/** What both kinds have in common. Times are on the prober's monotonic clock. */
interface SeriesBase {
  host: string;
  port: number;
  clock: ProbeClock;
  /** When the first answer had arrived. */
  readyMs: number;
  /** Until when this series speaks: silence up to here is known to be silence. */
  endMs: number;
  broken: SessionBreak | null;
  /** Longest time the prober itself did not get to run; a hole of that length may be its own. */
  longestOwnPauseMs: number;
  /** True when the oldest samples had to be given up to bound memory. */
  truncated: boolean;
}

export interface EchoSeries extends SeriesBase {
  kind: "tcp-echo";
  intervalMs: number;
  /** Per answer, in order: when its request was handed to the kernel and when it had come back whole. */
  sentMs: Float64Array;
  receivedMs: Float64Array;
  /** Requests without an answer at `endMs`. */
  unanswered: number;
}

export interface StreamSeries extends SeriesBase {
  kind: "tcp-stream";
  bucketMs: number;
  /** Start of the first bucket. */
  startMs: number;
  bytes: Float64Array;
  /** Longest time between two arrivals of which the later one is in this bucket; 0 when none is. */
  gapMs: Float64Array;
  /** When that gap ended. */
  gapEndMs: Float64Array;
}

export type ProbeSeries = EchoSeries | StreamSeries;

/** Throughput over time, as a chart draws it. */
export interface ThroughputSeries {
  startMs: number;
  bucketMs: number;
  bytes: readonly number[];
}

/** The bytes of a stream with its time axis moved so that `originMs` becomes 0. */
export function throughputSince(series: StreamSeries, originMs: number): ThroughputSeries {
  return {
    startMs: series.startMs - originMs,
    bucketMs: series.bucketMs,
    bytes: Array.from(series.bytes),
  };
}

/** A wall-clock moment on the prober's monotonic clock; as exact as the two machines' wall clocks agree. */
export function toMonotonicMs(clock: ProbeClock, wallClockMs: number): number {
  return wallClockMs - clock.wallClockMs + clock.monotonicMs;
}
