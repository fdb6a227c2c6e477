import { delay } from "../platform/clock.ts";
import { usageError } from "../platform/errors.ts";
import { longestHole } from "./analysis.ts";
import { type ProberOptions, startProber } from "./prober.ts";
import { sessionGrowth } from "./readings.ts";
import type { PacketCounts, ProbeKind, ProbeSeries } from "./series.ts";
import { meanMbps } from "./throughput.ts";

export interface ProbeRunOptions extends ProberOptions {
  durationMs: number;
}

/** The result of `sojourn probe`, as `--json` prints it; a figure that this kind does not have is null. */
export interface ProbeRunResult {
  type: "probe";
  kind: ProbeKind;
  host: string;
  port: number | null;
  duration_ms: number;
  /** Longest time between two consecutive arrivals. */
  longest_hole_ms: number | null;
  /** Longest time the prober itself did not get to run. */
  own_pause_ms: number;
  sessions: number;
  broken: number;
  broken_reason: string | null;
  /** Round trips of requests. */
  round_trip_ms: { median: number; p99: number } | null;
  /** Mean throughput of a download or upload in Mbit/s. */
  mbps: number | null;
  /** Counts of a packet probe. */
  packets: PacketCounts | null;
  /** HTTP answers with a status of 400 or more. */
  status_errors: number | null;
  /** Segments sent again by this side, and its retransmission timers that fired. */
  retransmissions: number | null;
  rto: number | null;
}

/**
 * Measures a target for a while; ends early, with what there is, when the signal fires or the session
 * breaks.
 * @throws SojournError what `startProber` and `Prober.stop` throw; `SOJ_USAGE` for a bad duration.
 */
export async function runProbe(options: ProbeRunOptions): Promise<ProbeRunResult> {
  if (!(options.durationMs > 0 && options.durationMs <= 86_400_000)) {
    throw usageError("a probe lasts more than 0 and at most 86400 seconds");
  }
  const ended = new AbortController();
  const abort = () => ended.abort();
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    await using prober = await startProber({
      ...options,
      onLive: (live) => {
        options.onLive?.(live);
        if (live.broken !== null) abort();
      },
    });
    prober.exited.then(abort);
    await delay(options.durationMs, ended.signal).catch(() => {});
    return resultOf(await prober.stop());
  } finally {
    options.signal?.removeEventListener("abort", abort);
  }
}

function resultOf(series: ProbeSeries): ProbeRunResult {
  const mbps = "bytes" in series ? meanMbps(series, series.readyMs, series.endMs) : null;
  const whole = { startMs: series.readyMs, resumedMs: null, settledMs: series.endMs };
  return {
    type: "probe",
    kind: series.kind,
    host: series.host,
    port: series.port,
    duration_ms: rounded(series.endMs - series.readyMs),
    longest_hole_ms: longestHole(series, series.readyMs, series.endMs),
    own_pause_ms: rounded(series.longestOwnPauseMs),
    sessions: series.kind === "packet" ? 0 : 1,
    broken: series.broken === null ? 0 : 1,
    broken_reason: series.broken?.message ?? null,
    round_trip_ms: "bytes" in series ? null : roundTrips(series.sentMs, series.receivedMs),
    mbps: mbps === null ? null : rounded(mbps),
    packets: series.kind === "packet" ? series.counts : null,
    status_errors: series.kind === "http" ? series.statusErrors : null,
    ...sessionGrowth(series.tcp, whole),
  };
}

function roundTrips(sentMs: Float64Array, receivedMs: Float64Array) {
  const sorted = receivedMs.map((timeMs, index) => timeMs - (sentMs[index] as number)).sort();
  const at = (share: number) => rounded(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  return sorted.length === 0 ? null : { median: at(0.5), p99: at(0.99) };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
