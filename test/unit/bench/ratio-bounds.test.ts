import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ratioBounds } from "../../../src/bench/ratio-bounds.ts";

const series = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 6, maxLength: 20 });

describe("the bounds of a ratio", () => {
  test("hold 1 for a series and itself, whatever the spread", () => {
    fc.assert(
      fc.property(series, (values) => {
        const [low, high] = ratioBounds(values, values) ?? [Number.NaN, Number.NaN];
        expect(low).toBeLessThanOrEqual(1);
        expect(high).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: 30 },
    );
  });

  test("leave 1 out where one series is clearly larger, and hold the true ratio", () => {
    const spread = [-2, -1, -1, 0, 0, 0, 1, 1, 2, 3];
    const bounds = ratioBounds(
      spread.map((off) => 200 + off),
      spread.map((off) => 100 + off),
    );
    const [low, high] = bounds ?? [Number.NaN, Number.NaN];
    expect(low).toBeGreaterThan(1.9);
    expect(low).toBeLessThanOrEqual(2);
    expect(high).toBeGreaterThanOrEqual(2);
    expect(high).toBeLessThan(2.1);
  });

  test("are the same for the same series, and none are told for a few values", () => {
    const few = [1, 2, 3, 4, 5];
    expect(ratioBounds([...few, 6], [...few, 7])).toEqual(ratioBounds([...few, 6], [...few, 7]));
    expect(ratioBounds(few, [...few, 6])).toBeNull();
    expect(ratioBounds([...few, 6], few)).toBeNull();
  });
});
