import fc from "fast-check";
import { expect, test } from "vitest";
import { estimateClockOffset } from "../../../src/migrator/clock-offset.ts";

/** A far clock that is `offsetMs` ahead, seen over a path with the given delays there and back. */
function farClock(offsetMs: number, delays: readonly [thereMs: number, backMs: number][]) {
  let nowMs = 1_000_000;
  let sample = 0;
  return {
    now: () => nowMs,
    read: async () => {
      const [there, back] = delays[sample % delays.length] ?? [0, 0];
      sample += 1;
      nowMs += there;
      const theirs = nowMs + offsetMs;
      nowMs += back;
      return theirs;
    },
  };
}

test("the shortest round trip is the one that is trusted", async () => {
  const { read, now } = farClock(500, [
    [80, 5],
    [2, 2],
    [1, 90],
  ]);
  expect(await estimateClockOffset(read, now)).toEqual({ offsetMs: 500, errorMs: 2 });
});

test("an offset within its own error is none", async () => {
  const { read, now } = farClock(1, [[2, 2]]);
  expect(await estimateClockOffset(read, now)).toEqual({ offsetMs: 0, errorMs: 2 });
});

test("the true offset lies within the stated error, however lopsided the path", async () => {
  const delay = fc.tuple(fc.nat(500), fc.nat(500));
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: -100_000, max: 100_000 }),
      fc.array(delay, { minLength: 1, maxLength: 5 }),
      async (offsetMs, delays) => {
        const { read, now } = farClock(offsetMs, delays);
        const estimate = await estimateClockOffset(read, now);
        const slack = estimate.offsetMs === 0 ? 2 * estimate.errorMs : estimate.errorMs;
        expect(Math.abs(estimate.offsetMs - offsetMs)).toBeLessThanOrEqual(slack);
      },
    ),
  );
});

test("a reading that fails is told", async () => {
  await expect(
    estimateClockOffset(
      () => Promise.reject(new Error("gone")),
      () => 0,
    ),
  ).rejects.toThrow("gone");
});
