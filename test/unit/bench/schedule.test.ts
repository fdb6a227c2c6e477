import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pauseFor } from "../../../src/bench/engine.ts";
import { remainingMs } from "../../../src/bench/remaining.ts";
import { type Strategy, strategies } from "../../../src/bench/run.ts";
import { scheduleRuns } from "../../../src/bench/schedule.ts";
import { runWith } from "./support.ts";

const chosen = fc.shuffledSubarray([...strategies], { minLength: 1 });

describe("the schedule", () => {
  test("has every strategy once in every round, pause after lossless", () => {
    fc.assert(
      fc.property(chosen, fc.integer({ min: 1, max: 30 }), (some, rounds) => {
        const runs = scheduleRuns(some, rounds);
        expect(runs).toHaveLength(some.length * rounds);
        for (let round = 1; round <= rounds; round += 1) {
          const order = runs.filter((run) => run.round === round).map((run) => run.strategy);
          expect(order.toSorted()).toEqual(some.toSorted());
          if (!order.includes("pause") || !order.includes("lossless")) continue;
          expect(order.indexOf("lossless")).toBeLessThan(order.indexOf("pause"));
        }
        expect(runs.map(({ round }) => round)).toEqual(
          runs.map(({ round }) => round).toSorted(byValue),
        );
      }),
    );
  });

  test("lets no strategy always follow the same one", () => {
    fc.assert(
      fc.property(chosen, (some) => {
        fc.pre(some.length >= 3);
        const runs = scheduleRuns(some, 2 * some.length);
        for (const strategy of some) {
          const before = runs.flatMap((run, at) =>
            run.strategy === strategy && at > 0 ? [runs[at - 1]?.strategy as Strategy] : [],
          );
          expect(new Set(before).size, strategy).toBeGreaterThan(1);
        }
      }),
    );
  });
});

describe("the pause", () => {
  const lossless = (round: number, blackout: number | null) =>
    runWith(blackout === null ? null : { blackout_ms: blackout }, { round });

  test("is the blackout of its round, else of the one before, else the median", () => {
    const runs = [lossless(1, 10), lossless(2, 20), lossless(3, 60), lossless(4, null)];
    expect(pauseFor(runs, 3)).toBe(60);
    expect(pauseFor(runs, 4)).toBe(60);
    expect(pauseFor([...runs, lossless(5, null)], 5)).toBe(20);
    expect(() => pauseFor([lossless(1, null)], 1)).toThrow(/no lossless run/);
  });
});

describe("the remaining time", () => {
  test("comes from each strategy's own mean", () => {
    const done = [
      { strategy: "lossless" as const, took_ms: 4_000 },
      { strategy: "lossless" as const, took_ms: 6_000 },
      { strategy: "pause" as const, took_ms: 2_000 },
    ];
    expect(remainingMs(done, ["lossless", "pause"])).toBe(7_000);
    expect(remainingMs(done, ["flip"])).toBe(4_000);
    expect(remainingMs([], ["flip"])).toBeNull();
    expect(remainingMs([], [])).toBe(0);
  });
});

function byValue(left: number, right: number): number {
  return left - right;
}
