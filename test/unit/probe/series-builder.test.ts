import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GrowingSamples } from "../../../src/probe/growing-samples.ts";
import { SeriesBuilder } from "../../../src/probe/series-builder.ts";
import { StreamBuckets } from "../../../src/probe/stream-buckets.ts";

const stream = { kind: "tcp-stream", host: "192.0.2.1", port: 19 } as const;

describe("samples", () => {
  test("beyond the bound the oldest go, and the newest stay in order", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), (count) => {
        const samples = new GrowingSamples(2048);
        let dropped = 0;
        for (let value = 0; value < count; value++) dropped += samples.push(value);
        const kept = Array.from(samples.toArray());
        expect(kept.length).toBeLessThanOrEqual(2048);
        expect(kept).toEqual(
          Array.from({ length: count - dropped }, (_, index) => dropped + index),
        );
      }),
      { numRuns: 30 },
    );
  });
});

describe("buckets", () => {
  test("no byte and no gap is lost, whenever batches are taken", () => {
    const arrival = fc.tuple(
      fc.integer({ min: 0, max: 60_000 }),
      fc.integer({ min: 1, max: 1000 }),
      fc.boolean(),
    );
    fc.assert(
      fc.property(fc.array(arrival, { minLength: 1, maxLength: 60 }), (arrivals) => {
        const buckets = new StreamBuckets(10);
        const builder = new SeriesBuilder(stream);
        builder.accept({
          type: "hello",
          version: 1,
          kind: "tcp-stream",
          pid: 1,
          monotonic_ms: 0,
          wall_clock_ms: 0,
          clock_uncertainty_ms: 0,
          interval_ms: 10,
        });
        const send = (nowMs: number, all: boolean) => {
          for (const batch of buckets.take(nowMs, all)) {
            builder.accept({ type: "bytes", at_ms: nowMs, own_pause_us: 0, ...batch });
          }
        };
        let nowMs = 100;
        let longestMs = 0;
        let sum = 0;
        for (const [index, [gapMs, bytes, isTaken]] of arrivals.entries()) {
          nowMs += gapMs;
          if (index > 0) longestMs = Math.max(longestMs, gapMs);
          sum += bytes;
          buckets.add(nowMs, bytes);
          if (isTaken) send(nowMs, false);
        }
        send(nowMs, true);
        const series = builder.build();
        if (series.kind !== "tcp-stream") throw new Error("not a stream");
        expect(series.bytes.reduce((total, bytes) => total + bytes, 0)).toBe(sum);
        expect(Math.max(...series.gapMs)).toBeCloseTo(longestMs, 2);
        expect(series.startMs + series.bytes.length * 10).toBeGreaterThanOrEqual(nowMs);
        for (const [index, endMs] of series.gapEndMs.entries()) {
          if (series.bytes[index] === 0) continue;
          expect(endMs - series.startMs - index * 10).toBeGreaterThanOrEqual(-0.01);
          expect(endMs - series.startMs - index * 10).toBeLessThan(10.01);
        }
      }),
    );
  });
});
