import { delay } from "../platform/clock.ts";
import { usageError } from "../platform/errors.ts";
import { longestHole } from "./analysis.ts";
import { type ProberOptions, startProber } from "./prober.ts";
import type { ProbeKind, ProbeSeries } from "./series.ts";
import { meanMbps } from "./throughput.ts";

export interface ProbeRunOptions extends ProberOptions {
  durationMs: number;
}

/** The result of `sojourn probe`, as `--json` prints it. */
export interface ProbeRunResult {
  type: "probe";
  kind: ProbeKind;
  host: string;
  port: number;
  duration_ms: number;
  /** Longest time between two consecutive arrivals. */
  longest_hole_ms: number | null;
  /** Longest time the prober itself did not get to run. */
  own_pause_ms: number;
  sessions: number;
  broken: number;
  broken_reason: string | null;
  /** Round trips of an echo session; null for a stream. */
  round_trip_ms: { median: number; p99: number } | null;
  /** Mean throughput of a stream in Mbit/s; null for echoes. */
  mbps: number | null;
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
  const isEcho = series.kind === "tcp-echo";
  const mbps = isEcho ? null : meanMbps(series, series.readyMs, series.endMs);
  return {
    type: "probe",
    kind: series.kind,
    host: series.host,
    port: series.port,
    duration_ms: rounded(series.endMs - series.readyMs),
    longest_hole_ms: longestHole(series, series.readyMs, series.endMs),
    own_pause_ms: rounded(series.longestOwnPauseMs),
    sessions: 1,
    broken: series.broken === null ? 0 : 1,
    broken_reason: series.broken?.message ?? null,
    round_trip_ms: isEcho ? roundTrips(series.sentMs, series.receivedMs) : null,
    mbps: mbps === null ? null : rounded(mbps),
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
