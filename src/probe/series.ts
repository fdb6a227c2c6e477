export const probeKinds = ["tcp-echo", "tcp-stream", "tcp-upload", "http", "packet"] as const;

export type ProbeKind = (typeof probeKinds)[number];

/** Ports of RFC 862, RFC 864, RFC 863 and of HTTP; packets of ICMP have none. */
export const defaultPorts: Readonly<Record<ProbeKind, number | null>> = {
  "tcp-echo": 7,
  "tcp-stream": 19,
  "tcp-upload": 9,
  http: 80,
  packet: null,
};

/** Pace of requests in milliseconds, and of looking at an upload's acknowledgements. */
export const defaultIntervals: Readonly<Record<ProbeKind, number>> = {
  "tcp-echo": 5,
  "tcp-stream": 5,
  "tcp-upload": 5,
  http: 10,
  packet: 1,
};

/** Whether a kind's series is bytes over time; the others' are requests and answers. */
export function isOfBytes(kind: ProbeKind): kind is BytesKind {
  return kind === "tcp-stream" || kind === "tcp-upload";
}

export type BytesKind = "tcp-stream" | "tcp-upload";

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

/** What the kernel at the prober says of a session: totals since its start, noted when they change. */
export interface TcpReading {
  atMs: number;
  /** Segments sent again (tcpi_total_retrans). */
  retransmissions: number;
  /** Retransmission timers that fired (RFC 6298); null where the kernel does not say. */
  rto: number | null;
}

/** What a guest says of itself: its clock, and its kernel's totals over all sessions since it booted. */
export interface GuestReading {
  atMs: number;
  /** Its wall clock minus the prober's monotonic clock. */
  aheadMs: number;
  /** Half the round trip of the question: bound on the error of `aheadMs`. */
  errorMs: number;
  retransmissions: number | null;
  rto: number | null;
}

/** Echo requests of ICMP; a request that may still be under way at the end is in none of them. */
export interface PacketCounts {
  sent: number;
  /** Requests without an answer, less those of `unread`. */
  lost: number;
  /**
   * Answers that came back and found the receive buffer of ping full. Copies, and answers to other pings of the
   * same namespace, may be among them: with any, `lost` is a lower bound.
   */
  unread: number;
  duplicated: number;
  /** Answers that came after one of a later request (RFC 4737, section 3). */
  reordered: number;
}

/** What all kinds have in common. Times are on the prober's monotonic clock. */
interface SeriesBase {
  host: string;
  /** Null for packets. */
  port: number | null;
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
  /** Empty for packets, and where the kernel does not answer. */
  tcp: readonly TcpReading[];
}

/** Requests and their answers. */
export interface AnswerSeries extends SeriesBase {
  intervalMs: number;
  /** Per answer, in order of arrival: when its request was handed to the kernel and when it had come whole. */
  sentMs: Float64Array;
  receivedMs: Float64Array;
  /** Requests without an answer at `endMs`. */
  unanswered: number;
}

export interface EchoSeries extends AnswerSeries {
  kind: "tcp-echo";
}

export interface HttpSeries extends AnswerSeries {
  kind: "http";
  /** Answers with a status of 400 or more. */
  statusErrors: number;
  /** Empty unless the server is a guest of the lab's kind. */
  guest: readonly GuestReading[];
}

export interface PacketSeries extends AnswerSeries {
  kind: "packet";
  counts: PacketCounts;
}

/** Bytes over time. */
export interface BytesSeries extends SeriesBase {
  bucketMs: number;
  /** Start of the first bucket. */
  startMs: number;
  bytes: Float64Array;
  /** Longest time between two arrivals of which the later one is in this bucket; 0 when none is. */
  gapMs: Float64Array;
  /** When that gap ended. */
  gapEndMs: Float64Array;
}

/** Bytes that arrived here. */
export interface StreamSeries extends BytesSeries {
  kind: "tcp-stream";
}

/** Bytes that the peer has acknowledged. */
export interface UploadSeries extends BytesSeries {
  kind: "tcp-upload";
}

export type ProbeSeries = EchoSeries | StreamSeries | UploadSeries | HttpSeries | PacketSeries;

/** Throughput over time, as a chart draws it. */
export interface ThroughputSeries {
  startMs: number;
  bucketMs: number;
  bytes: readonly number[];
}

/** The bytes of a stream with its time axis moved so that `originMs` becomes 0. */
export function throughputSince(series: BytesSeries, originMs: number): ThroughputSeries {
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
