import type { BytesSeries } from "./series.ts";

/** Shorter stretches say nothing about a throughput. */
const shortestMeanMs = 100;
const recoveryWindowMs = 100;

/**
 * Mean throughput in Mbit/s of the buckets that lie wholly between two moments; null when these are
 * less than 100 ms.
 */
export function meanMbps(series: BytesSeries, fromMs: number, toMs: number): number | null {
  const { startMs, bucketMs, bytes } = series;
  const first = Math.max(0, Math.ceil((fromMs - startMs) / bucketMs));
  const end = Math.min(bytes.length, Math.floor((toMs - startMs) / bucketMs));
  const durationMs = (end - first) * bucketMs;
  if (!(durationMs >= shortestMeanMs)) return null;
  return toMbps(bytes.subarray(first, end), durationMs);
}

/**
 * From the resume to the start of the first 100 ms whose throughput reaches `targetMbps`; null when
 * none does before the series ends.
 */
export function recoveryMs(
  series: BytesSeries,
  resumedMs: number,
  targetMbps: number,
): number | null {
  const { startMs, bucketMs, bytes } = series;
  const width = Math.ceil(recoveryWindowMs / bucketMs);
  const first = Math.max(0, Math.floor((resumedMs - startMs) / bucketMs));
  for (let index = first; index + width <= bytes.length; index++) {
    if (toMbps(bytes.subarray(index, index + width), width * bucketMs) >= targetMbps) {
      return Math.max(0, startMs + index * bucketMs - resumedMs);
    }
  }
  return null;
}

function toMbps(bytes: Float64Array, durationMs: number): number {
  let sum = 0;
  for (const value of bytes) sum += value;
  return (sum * 8) / (durationMs * 1000);
}
