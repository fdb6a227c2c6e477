import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isConverged, predictedBlackoutMs } from "../../../src/migrator/convergence.ts";
import { firstPassBandwidth, holdingBandwidth } from "../../../src/migrator/pacing.ts";

const mib = 1024 * 1024;
const policy = { downtimeLimitMs: 300, minimumPasses: 2 };

describe("when to arm", () => {
  const armedAfter = (
    number: number,
    predictedMs: number,
    previousPredictedMs: number | null = null,
  ) => isConverged({ number, predictedMs, previousPredictedMs }, policy);

  test("never in the first pass, whatever is predicted, and not before the passes asked for", () => {
    expect(armedAfter(1, 0)).toBe(false);
    const pass = { number: 4, predictedMs: 11, previousPredictedMs: 11 };
    expect(isConverged(pass, { ...policy, minimumPasses: 5 })).toBe(false);
    expect(isConverged({ ...pass, number: 5 }, { ...policy, minimumPasses: 5 })).toBe(true);
  });

  test("at once when hardly more than the devices is left", () => {
    expect(armedAfter(2, 30)).toBe(true);
  });

  test("within the limit as soon as another pass would not help", () => {
    expect(armedAfter(2, 200)).toBe(false);
    expect(armedAfter(3, 100, 200)).toBe(false);
    expect(armedAfter(4, 95, 100)).toBe(true);
  });

  test("never beyond the limit", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.double({ min: 301, max: 1e6 }), (number, predictedMs) => {
        expect(armedAfter(number, predictedMs, predictedMs)).toBe(false);
      }),
    );
  });
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

  test("the prediction is the time for what remains, and an allowance for the devices", () => {
    expect(predictedBlackoutMs({ remainingBytes: 0 }, 125e6)).toBe(10);
    expect(predictedBlackoutMs({ remainingBytes: 12_500_000 }, 125e6)).toBe(110);
  });
});
