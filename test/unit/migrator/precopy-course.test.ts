import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LinkEstimate } from "../../../src/migrator/link-estimate.ts";
import { PrecopyCourse } from "../../../src/migrator/precopy-course.ts";
import { FakeClock } from "../platform/fake-clock.ts";
import { limits, unknownLink } from "./course-support.ts";

const mib = 2 ** 20;
/** Bytes per second; bytes in the socket; of a guest that writes over and over. */
const [link, queued] = [25e6, 2e6];

/** Readings of a stream that moves at a rate, every 10 ms. */
function readings(
  estimate: LinkEstimate,
  rates: readonly number[],
  {
    limit = (_rate: number): number => 0,
    passMs = Number.POSITIVE_INFINITY,
    queueOf = (_rate: number): number => 0,
  } = {},
): void {
  let arrivedBytes = 0;
  rates.forEach((rate, index) => {
    arrivedBytes += rate / 100;
    const pass = 1 + Math.floor((index * 10) / passMs);
    estimate.note({ pass, arrivedBytes, queuedBytes: queueOf(rate) }, limit(rate), index * 10);
  });
}

const of = (rate: number, count: number) => Array.from({ length: count }, () => rate);

describe("what the link carries", () => {
  test("is what arrives, with bursts left out", () => {
    const estimate = new LinkEstimate();
    readings(estimate, [...of(400e6, 10), ...of(link, 300)]);
    expect(estimate.bytesPerSecond).toBeCloseTo(link, -5);
  });

  test("is not told by a stretch of empty pages, nor by passes too short to be measured", () => {
    const estimate = new LinkEstimate();
    readings(estimate, [...of(1e5, 100), ...of(link, 200)]);
    expect(estimate.bytesPerSecond).toBeCloseTo(link, -5);
    const short = new LinkEstimate();
    readings(short, of(link, 300), { passMs: 50 });
    expect(short.bytesPerSecond).toBeNull();
    // What waits in the socket shows that the link is busy all the same.
    readings(short, of(link, 300), { passMs: 50, queueOf: () => queued });
    expect(short.bytesPerSecond).toBeCloseTo(link, -5);
  });

  test("is at least what a stream moves that is held back", () => {
    const estimate = new LinkEstimate();
    const limit = (rate: number) => rate;
    readings(estimate, [...of(10e6, 100), ...of(1e6, 300)], { limit, queueOf: () => queued });
    expect(estimate.bytesPerSecond).toBeCloseTo(10e6, -5);
  });

  test("is not what it carried once, when a stream that may move more does not any longer", () => {
    const estimate = (slowMs: number, queuedBytes: number) => {
      const one = new LinkEstimate();
      const rates = [...of(10e6, 100), ...of(3e6, slowMs / 10)];
      readings(one, rates, { limit: () => 10e6, queueOf: () => queuedBytes });
      return one.bytesPerSecond;
    };
    expect(estimate(700, queued)).toBeCloseTo(10e6, -5);
    expect(estimate(2_000, queued)).toBeCloseTo(3e6, -5);
    // Nothing waits: those were empty pages, not the link.
    expect(estimate(2_000, 0)).toBeCloseTo(10e6, -5);
  });

  test("is not less than a full link carried, however many empty pages there were before", () => {
    const estimate = new LinkEstimate();
    const rates = [...of(12e6, 200), ...of(1e6, 400), ...of(5e6, 150)];
    const limit = (rate: number) => (rate === 12e6 ? rate : 15e6);
    readings(estimate, rates, { limit, queueOf: (rate) => (rate === 5e6 ? queued : 0) });
    expect(estimate.bytesPerSecond).toBeCloseTo(5e6, -5);
  });

  test("is what it was when others have filled it for a moment, now and then", () => {
    const estimate = new LinkEstimate();
    const once = [...of(10e6, 150), ...of(3e6, 60)];
    const rates = [...once, ...once, ...once, ...once];
    readings(estimate, rates, { limit: () => 10e6, queueOf: () => queued });
    expect(estimate.bytesPerSecond).toBeCloseTo(10e6, -5);
  });

  test("is never more than the fastest reading", () => {
    const rates = fc.array(fc.double({ min: 1, max: 1e9, noNaN: true }), { maxLength: 200 });
    fc.assert(
      fc.property(rates, (given) => {
        const estimate = new LinkEstimate();
        readings(estimate, given);
        const fastest = Math.max(0, ...given);
        expect(estimate.bytesPerSecond ?? 0).toBeLessThanOrEqual(fastest * 1.001);
      }),
    );
  });
});

describe("a stream's course", () => {
  /** A second of a first pass, then a pass that begins with so much. */
  function begun(clock: FakeClock, remainingBytes: number) {
    const course = new PrecopyCourse({ ...unknownLink, unsentBytes: () => queued });
    let transferredBytes = 0;
    const progress = (dirtySyncCount: number, left: number) => ({
      ...{ dirtySyncCount, transferredBytes, remainingBytes: left },
      ...{ dirtyBytesPerSecond: 10e6, bandwidthMbps: 200, throttlePercent: null },
    });
    for (let ms = 0; ms < 1_000; ms += 10) {
      transferredBytes += link / 100;
      course.note(progress(1, 100 * mib));
      clock.nowMs += 10;
    }
    const now = progress(2, remainingBytes);
    course.note(now);
    return { course, now };
  }

  test("what waits in the socket has to arrive before what is left", () => {
    using clock = new FakeClock();
    const { course, now } = begun(clock, 0);
    expect(course.linkBytesPerSecond).toBeCloseTo(link, -5);
    expect(course.predictedMs(now)).toBeCloseTo(98, 0);
    expect(course.predictedMs({ remainingBytes: link / 10 })).toBeCloseTo(208, 0);
  });

  test("what the guest dirties until it is stopped counts too", () => {
    using clock = new FakeClock();
    const { course, now } = begun(clock, 4e6);
    expect(course.dirtiedIn(100)).toBeCloseTo(4e5, -4);
    expect(course.dirtiedIn(5_000)).toBe(4e6);
    // 240 ms for what is left and what waits, 16 ms for a tenth of the pass, and caution: within the limit, not within the first budget.
    expect(course.decide(now, 0, limits)).toBe("wait");
    expect(course.decide(now, 0.9, limits)).toBe("arm");
    expect(course.decidedPass).toBe(2);
  });

  test("a stop that was taken back makes the next prediction more careful", () => {
    using clock = new FakeClock();
    const { course, now } = begun(clock, 4e6);
    const before = course.predictedMs(now);
    course.noteReturn();
    expect(course.predictedMs(now)).toBeGreaterThan(before);
    expect(course.decide(now, 0.9, limits)).toBe("wait");
  });

  test("nobody is stopped for longer than the limit, or the budget that was decided beyond it", () => {
    using clock = new FakeClock();
    const { course, now } = begun(clock, 20e6);
    expect(course.budgetMs(limits)).toBe(300);
    expect(course.decide(now, 0.9, { ...limits, policy: "finish" })).toBe("arm");
    expect(course.budgetMs(limits)).toBe(2_000);
  });

  test("a link that is configured, and a stream's own limit, bound what is believed", () => {
    const course = new PrecopyCourse({
      ...{ ...unknownLink, capacityBytesPerSecond: 1e6, limitBytesPerSecond: 5e5 },
    });
    expect(course.linkBytesPerSecond).toBe(5e5);
  });
});
