import type { TimelineEntry } from "../migrator/report.ts";
import type { ProbeResults } from "../probe/results.ts";
import type { ProbeKind } from "../probe/series.ts";
import type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
import type { MoveFacts } from "./move-facts.ts";

/** Ways to bring a guest's traffic to its new host, and two controls. */
export const strategies = [
  "lossless",
  "flip",
  "post-resume",
  "after-return",
  "script-2009",
  "same-subnet",
  "pause",
] as const;

export type Strategy = (typeof strategies)[number];

/** Those that are not a migration of ours; only the lab has what they need. */
export const controls = ["same-subnet", "pause"] as const satisfies readonly Strategy[];

export type Control = (typeof controls)[number];

export const loads = ["echo", "stream", "http", "packet"] as const;

/**
 * What probes a run: a TCP echo session, a TCP bulk stream, HTTP requests (which also tell the guest's own
 * retransmission timers), ICMP echo at 1 kHz.
 */
export type Load = (typeof loads)[number];

export const probeKindOf: Readonly<Record<Load, ProbeKind>> = {
  echo: "tcp-echo",
  stream: "tcp-stream",
  http: "http",
  packet: "packet",
};

/** `stream`: the guest sends as fast as it can while it is moved; `idle`: it does not. */
export const traffics = ["idle", "stream"] as const;

export type Traffic = (typeof traffics)[number];

/** What probes a cell: a bulk stream under traffic and none without; as it was asked for where nothing is said of it. */
export function loadUnder(traffic: Traffic | undefined, load: readonly Load[]): Load[] {
  const others = load.filter((one) => one !== "stream");
  if (traffic === undefined) return [...load];
  return traffic === "idle" ? others : [...others, "stream"];
}

/** What one run has measured; figures that were not measured are null. */
export interface RunResult {
  /** STOP to RESUME. */
  blackoutMs: number | null;
  /** The part of the blackout that our own steps took: from QEMU's pre-switchover until it was told to go on. */
  controlMs: number | null;
  totalMs: number;
  /** Null for a control. */
  move: MoveFacts | null;
  probes: ProbeResults;
  /** On the same axis as `throughput`: milliseconds since the migration's start. */
  timeline: TimelineEntry[];
  /** What the stream got, with 0 at the migration's start; null without a stream. */
  throughput: ThroughputTimeline | null;
}

/** Does runs of one or several strategies; disposing removes what it has made. */
export interface Runner extends AsyncDisposable {
  /** @throws SojournError when the run did not complete, `MoveFailed` with what is known of a move. */
  run(request: RunRequest, signal: AbortSignal): Promise<RunResult>;
}

export interface RunRequest {
  strategy: Strategy;
  /** Every run moves its guest to the other host. */
  load: readonly Load[];
  /** For `pause`: how long the guest is stopped. */
  pauseMs: number;
}
