import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  analyzeEcho,
  analyzeProbes,
  analyzeStream,
  isWithinBudget,
} from "../../../src/probe/analysis.ts";
import type { SessionBreak } from "../../../src/probe/series.ts";
import { echoSeries, every, streamSeries } from "./support.ts";

const instants = { startMs: 1000, resumedMs: 1530, settledMs: 3000 };
/** The kernel was not asked in these series. */
const noKernel = { retransmissions: null, rto: null };
const aBreak: SessionBreak = { atMs: 1600, reason: "failed", message: "reset" };

describe("echo", () => {
  test("finds the hole across the migration and the floor before it", () => {
    const arrivals = [...every(5, 0, 500), ...every(5, 508, 1500), ...every(5, 1528, 3000)];
    const result = analyzeEcho(echoSeries(arrivals), instants);
    expect(result).toEqual({ outage_ms: 30, floor_ms: 8, sessions: 1, broken: 0, ...noKernel });
  });

  test("a hole that reaches out of the migration counts with its whole length", () => {
    const arrivals = [...every(5, 0, 990), ...every(5, 1200, 3000)];
    expect(analyzeEcho(echoSeries(arrivals), instants)).toMatchObject({
      outage_ms: 210,
      floor_ms: 5,
    });
  });

  test("a hole that is open at the end lasts until the end", () => {
    const series = echoSeries(every(5, 0, 1500), { endMs: 3200, unanswered: 60 });
    expect(analyzeEcho(series, instants).outage_ms).toBe(1700);
  });

  test("a broken session has no outage, since its hole has no end", () => {
    const series = echoSeries(every(5, 0, 1500), { endMs: 3200, broken: aBreak });
    expect(analyzeEcho(series, instants)).toMatchObject({
      outage_ms: null,
      broken: 1,
      sessions: 1,
    });
  });

  test("what was not measured is null", () => {
    expect(analyzeEcho(echoSeries([]), instants)).toEqual({
      outage_ms: null,
      floor_ms: null,
      sessions: 1,
      broken: 0,
      ...noKernel,
    });
  });

  test("for any arrivals the outage is a gap that exists and no gap in the window is longer", () => {
    const gaps = fc.array(fc.double({ min: 0.01, max: 500, noNaN: true }), { maxLength: 200 });
    fc.assert(
      fc.property(gaps, fc.nat(5000), fc.nat(5000), (lengths, startMs, durationMs) => {
        let nowMs = 0;
        const arrivals = [0, ...lengths.map((length) => (nowMs += length))];
        const window = { startMs, resumedMs: null, settledMs: startMs + durationMs };
        const { outage_ms, floor_ms } = analyzeEcho(echoSeries(arrivals), window);
        const inWindow = lengths.filter(
          (_, index) =>
            (arrivals[index + 1] as number) > startMs &&
            (arrivals[index] as number) < window.settledMs,
        );
        if (inWindow.length === 0) expect(outage_ms).toBeNull();
        else expect(outage_ms).toBeCloseTo(Math.max(...inWindow), 0);
        if (floor_ms !== null) expect(floor_ms).toBeLessThanOrEqual(startMs + 0.05);
      }),
    );
  });
});

describe("stream", () => {
  const perBucket = 625_000; // 500 Mbit/s

  function moved(silentBuckets: number, slowBuckets: number, slowBytes: number): number[] {
    return [
      ...Array<number>(150).fill(perBucket),
      ...Array<number>(silentBuckets).fill(0),
      ...Array<number>(slowBuckets).fill(slowBytes),
      ...Array<number>(150).fill(perBucket),
    ];
  }

  test("throughput before and after, outage and recovery", () => {
    const series = streamSeries(moved(3, 8, 100_000));
    expect(analyzeStream(series, { ...instants, resumedMs: 1530 })).toEqual({
      outage_ms: 40,
      floor_ms: 10,
      before_mbps: 500,
      after_mbps: 500,
      recovery_ms: 70,
      sessions: 1,
      broken: 0,
      ...noKernel,
    });
  });

  test("a stream that does not come back has no recovery and a hole until its end", () => {
    const series = streamSeries([
      ...Array<number>(150).fill(perBucket),
      ...Array<number>(200).fill(0),
    ]);
    expect(analyzeStream(series, instants)).toMatchObject({
      outage_ms: 2000,
      after_mbps: 0,
      recovery_ms: null,
    });
  });

  test("a guest that never resumed has no figures after it", () => {
    const series = streamSeries(moved(3, 0, 0));
    expect(analyzeStream(series, { ...instants, resumedMs: null })).toMatchObject({
      before_mbps: 500,
      after_mbps: null,
      recovery_ms: null,
    });
  });

  test("a broken stream has no throughput afterwards", () => {
    const series = streamSeries(moved(3, 0, 0), { broken: aBreak });
    expect(analyzeStream(series, instants)).toMatchObject({
      outage_ms: null,
      after_mbps: null,
      broken: 1,
    });
  });

  test("for any series the figures are null or not negative", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1_000_000), { maxLength: 400 }),
        fc.double({ min: -1000, max: 5000, noNaN: true }),
        fc.double({ min: 0, max: 5000, noNaN: true }),
        (bytes, startMs, durationMs) => {
          const settledMs = startMs + durationMs;
          const result = analyzeStream(streamSeries(bytes), {
            startMs,
            resumedMs: startMs + durationMs / 2,
            settledMs,
          });
          for (const value of Object.values(result)) {
            expect(value === null || value >= 0).toBe(true);
          }
        },
      ),
    );
  });
});

describe("several probes", () => {
  const good = echoSeries([...every(5, 0, 1500), ...every(5, 1528, 3000)]);
  const worse = echoSeries([...every(5, 0, 1500), ...every(5, 1628, 3000)]);

  test("of one kind give the worst of them, and a kind that did not run is absent", () => {
    expect(analyzeProbes([good, worse], instants)).toEqual({
      tcp_echo: { outage_ms: 128, floor_ms: 5, sessions: 2, broken: 0, ...noKernel },
    });
  });

  test("one broken session leaves the others no outage to speak of", () => {
    const broken = echoSeries(every(5, 0, 1500), { broken: aBreak });
    expect(analyzeProbes([good, broken], instants).tcp_echo).toMatchObject({
      outage_ms: null,
      sessions: 2,
      broken: 1,
    });
  });

  test("the budget's verdict", () => {
    const results = analyzeProbes([good], instants);
    expect(isWithinBudget(results, 100)).toBe(true);
    expect(isWithinBudget(results, 20)).toBe(false);
    expect(isWithinBudget({}, 100)).toBeNull();
    const broken = analyzeProbes([echoSeries([1], { broken: aBreak })], instants);
    expect(isWithinBudget(broken, 100)).toBe(false);
  });
});
