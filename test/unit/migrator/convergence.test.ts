import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  afterPass,
  type Budget,
  firstBudget,
  longestBudgetMs,
  type PassFigures,
  type PolicyLimits,
  throttleOf,
} from "../../../src/migrator/convergence-policy.ts";
import { policyNames } from "../../../src/migrator/migration-options.ts";
import { firstPassBandwidth, holdingBandwidth } from "../../../src/migrator/pacing.ts";
import { limits } from "./course-support.ts";

const mib = 1024 * 1024;

const usual = { number: 3, elapsedShare: 0.1, throttlePercent: null, converges: true };

/** What is decided after each of these passes, one after the other. */
function decisions(predictions: readonly number[], more: Partial<PassFigures & PolicyLimits> = {}) {
  const given = { ...limits, ...more };
  let budget: Budget = firstBudget(given);
  return predictions.map((predictedMs) => {
    const after = afterPass(budget, { ...usual, ...more, predictedMs }, given);
    budget = after.budget;
    return after.decision;
  });
}

describe("when to arm", () => {
  test("never in the first pass, whatever is predicted, and not before the passes asked for", () => {
    expect(decisions([0], { number: 1 })).toEqual(["wait"]);
    expect(decisions([11], { number: 4, minimumPasses: 5 })).toEqual(["wait"]);
    expect(decisions([11], { number: 5, minimumPasses: 5 })).toEqual(["arm"]);
  });

  test("at once when hardly more than the devices is left, even with a limit below that", () => {
    expect(decisions([30])).toEqual(["arm"]);
    expect(decisions([30], { downtimeLimitMs: 1 })).toEqual(["arm"]);
  });

  test("within the limit, and the sooner the less passes help", () => {
    expect(decisions([200, 100, 95])).toEqual(["wait", "wait", "arm"]);
    expect(decisions([290, 290, 290])).toEqual(["wait", "wait", "arm"]);
  });

  test("near the end of the time with all of the limit", () => {
    expect(decisions([290], { elapsedShare: 0.8 })).toEqual(["arm"]);
    expect(decisions([310], { elapsedShare: 0.8 })).toEqual(["wait"]);
    expect(decisions([1_900], { elapsedShare: 0.8, policy: "finish" })).toEqual(["arm"]);
  });

  test("finish goes beyond the limit once the guest is throttled as far as can be, or half the time is over", () => {
    const many = Array.from({ length: 8 }, () => 1_500);
    expect(decisions(many, { policy: "finish", throttlePercent: 79 })).not.toContain("arm");
    expect(decisions(many, { policy: "finish", throttlePercent: 99 })).toContain("arm");
    expect(decisions(many, { policy: "finish", elapsedShare: 0.5 })).toContain("arm");
    expect(decisions(many, { policy: "balanced", throttlePercent: 99 })).not.toContain("arm");
  });

  test("never beyond the policy's limit, whatever has happened", () => {
    const pass = fc.record({
      number: fc.nat(1_000),
      predictedMs: fc.double({ min: 0, max: 1e5, noNaN: true }),
      elapsedShare: fc.double({ min: 0, max: 1, noNaN: true }),
      throttlePercent: fc.option(fc.integer({ min: 1, max: 99 })),
      converges: fc.boolean(),
    });
    const given = fc.record({
      policy: fc.constantFrom(...policyNames),
      postCopy: fc.boolean(),
      downtimeLimitMs: fc.integer({ min: 1, max: 60_000 }),
      finishLimitMs: fc.integer({ min: 1, max: 60_000 }),
      minimumPasses: fc.integer({ min: 2, max: 10 }),
    });
    fc.assert(
      fc.property(given, fc.array(pass, { maxLength: 20 }), (one, passes) => {
        let budget = firstBudget(one);
        for (const figures of passes) {
          const after = afterPass(budget, figures, one);
          expect(after.budget.ms).toBeGreaterThanOrEqual(budget.ms);
          expect(after.budget.ms).toBeLessThanOrEqual(longestBudgetMs(one));
          budget = after.budget;
          if (after.decision === "arm")
            expect(figures.predictedMs).toBeLessThanOrEqual(longestBudgetMs(one));
          if (!one.postCopy) expect(after.decision).not.toBe("post-copy");
          if (figures.number < one.minimumPasses) expect(after.decision).toBe("wait");
        }
      }),
    );
  });
});

describe("post-copy", () => {
  const postCopy = true;
  test("is taken to when two passes in a row promise nothing, or half the time is over", () => {
    expect(decisions([900, 900], { postCopy, converges: false })).toEqual(["wait", "post-copy"]);
    expect(decisions([900, 900, 900], { postCopy })).toEqual(["wait", "wait", "wait"]);
    expect(decisions([900], { postCopy, elapsedShare: 0.5 })).toEqual(["post-copy"]);
  });

  test("not where it is not allowed, and not by a guest that is ready for the switchover", () => {
    expect(decisions([900, 900], { converges: false })).toEqual(["wait", "wait"]);
    expect(decisions([20, 20], { postCopy, converges: false })).toEqual(["arm", "arm"]);
  });
});

test("only a policy that may slow the guest does, and nobody whom post-copy will move", () => {
  const most = policyNames.map(
    (policy) => throttleOf({ policy, postCopy: false })?.maximumPercent ?? 0,
  );
  expect(most).toEqual([0, 80, 99]);
  for (const policy of policyNames) expect(throttleOf({ policy, postCopy: true })).toBeNull();
});

describe("bandwidth", () => {
  test("the first pass of a small guest lasts about two seconds, and a limit is kept", () => {
    expect(firstPassBandwidth(128 * mib, 0)).toBe(64 * mib);
    expect(firstPassBandwidth(16 * mib, 0)).toBe(16 * mib);
    expect(firstPassBandwidth(128 * mib, 1_000_000)).toBe(1_000_000);
  });

  test("what is held down lasts for the time asked for, but something moves in every window", () => {
    expect(holdingBandwidth(10 * mib, 2)).toBe(5 * mib);
    expect(holdingBandwidth(0, 1)).toBeGreaterThan(0);
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.double({ min: 0.1, max: 10, noNaN: true }), (bytes, s) => {
        expect(holdingBandwidth(bytes, s)).toBeGreaterThanOrEqual(Math.floor(bytes / s));
      }),
    );
  });
});
