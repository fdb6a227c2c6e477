import type { ThroughputSeries } from "./series.ts";

/** Throughput over time in equal steps. */
export interface ThroughputTimeline {
  /** Where the first step begins, in milliseconds since the migration's start. */
  start_ms: number;
  step_ms: number;
  /** Mean throughput of each step in Mbit/s, to a tenth. */
  mbps: number[];
}

/** A timeline has no more steps than this. */
export const longestTimeline = 2_000;

/**
 * The part of a series from `fromMs` to `toMs` (on its own axis), in steps of at least `stepMs` so wide that there
 * are no more than 2000 of them. Pure.
 * @param originMs the migration's start on the series' axis
 */
export function throughputTimeline(
  series: ThroughputSeries,
  { originMs, fromMs, toMs, stepMs = series.bucketMs }: TimelineOptions,
): ThroughputTimeline {
  const { startMs, bucketMs, bytes } = series;
  const first = Math.max(0, Math.floor((fromMs - startMs) / bucketMs));
  const last = Math.min(bytes.length, Math.ceil((toMs - startMs) / bucketMs));
  const wanted = Math.max(1, Math.round(stepMs / bucketMs));
  const perStep = Math.max(wanted, Math.ceil((last - first) / longestTimeline));
  const mbps: number[] = [];
  for (let from = first; from < last; from += perStep) {
    const to = Math.min(last, from + perStep);
    let sum = 0;
    for (let index = from; index < to; index += 1) sum += bytes[index] ?? 0;
    mbps.push(Math.round((sum * 8) / ((to - from) * bucketMs) / 100) / 10);
  }
  const begin = startMs + first * bucketMs - originMs;
  return { start_ms: Math.round(begin * 10) / 10, step_ms: perStep * bucketMs, mbps };
}

export interface TimelineOptions {
  originMs: number;
  fromMs: number;
  toMs: number;
  stepMs?: number;
}
