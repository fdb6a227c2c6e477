import type { EchoSeries, StreamSeries } from "../../../src/probe/series.ts";

const shared = {
  host: "192.0.2.1",
  clock: { monotonicMs: 0, wallClockMs: 1_000_000, uncertaintyMs: 0.1 },
  readyMs: 0,
  broken: null,
  longestOwnPauseMs: 0,
  truncated: false,
  tcp: [],
};

/** An echo series whose answers arrive at the given moments, 1 ms after their requests. */
export function echoSeries(receivedMs: number[], changes: Partial<EchoSeries> = {}): EchoSeries {
  return {
    ...shared,
    kind: "tcp-echo",
    port: 7,
    intervalMs: 5,
    endMs: receivedMs.at(-1) ?? 0,
    sentMs: Float64Array.from(receivedMs, (timeMs) => timeMs - 1),
    receivedMs: Float64Array.from(receivedMs),
    unanswered: 0,
    ...changes,
  };
}

/** A stream series of 10 ms buckets from 0, one arrival in the middle of each bucket that has bytes. */
export function streamSeries(bytes: number[], changes: Partial<StreamSeries> = {}): StreamSeries {
  const gapMs: number[] = [];
  const gapEndMs: number[] = [];
  let lastMs: number | null = null;
  for (const [index, count] of bytes.entries()) {
    const nowMs = index * 10 + 5;
    gapMs.push(count === 0 || lastMs === null ? 0 : nowMs - lastMs);
    gapEndMs.push(count === 0 ? 0 : nowMs);
    if (count > 0) lastMs = nowMs;
  }
  return {
    ...shared,
    kind: "tcp-stream",
    port: 19,
    bucketMs: 10,
    startMs: 0,
    endMs: bytes.length * 10,
    bytes: Float64Array.from(bytes),
    gapMs: Float64Array.from(gapMs),
    gapEndMs: Float64Array.from(gapEndMs),
    ...changes,
  };
}

/** Moments every `stepMs` from `fromMs` up to and including `toMs`. */
export function every(stepMs: number, fromMs: number, toMs: number): number[] {
  return Array.from(
    { length: Math.floor((toMs - fromMs) / stepMs) + 1 },
    (_, index) => fromMs + index * stepMs,
  );
}
