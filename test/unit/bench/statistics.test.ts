import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { medianOf, ratioOf, statisticsOf, sumOf } from "../../../src/bench/statistics.ts";

const values = fc.array(fc.option(fc.integer({ min: -1_000_000, max: 1_000_000 })), {
  maxLength: 60,
});

describe("statistics", () => {
  test("agree with their definitions, whatever is missing", () => {
    fc.assert(
      fc.property(values, (all) => {
        const known = all.filter((value) => value !== null);
        const { median, p95, max } = statisticsOf(all);
        if (known.length === 0) {
          expect({ median, p95, max }).toEqual({ median: null, p95: null, max: null });
          return;
        }
        expect(max).toBe(known.reduce((most, value) => (value > most ? value : most)));
        // Nearest rank: the smallest value that at least 95 % of all do not exceed.
        const reached = (limit: number) => known.filter((value) => value <= limit).length;
        const ranks = known.filter((limit) => reached(limit) * 100 >= 95 * known.length);
        expect(p95).toBe(ranks.reduce((least, value) => (value < least ? value : least)));
        const below = known.filter((value) => value < (median as number)).length;
        const above = known.filter((value) => value > (median as number)).length;
        expect(Math.max(below, above) * 2).toBeLessThanOrEqual(known.length);
        expect(medianOf(all)).toBe(median);
      }),
    );
  });

  test("the median of an even number is between the middle two", () => {
    expect(medianOf([4, 1, null, 3, 2])).toBe(2.5);
  });

  test("nothing is not zero", () => {
    expect(sumOf([null, null])).toBeNull();
    expect(sumOf([null, 0, 2])).toBe(2);
    expect(ratioOf(1, 0)).toBeNull();
    expect(ratioOf(null, 1)).toBeNull();
    expect(ratioOf(50, 200)).toBe(0.25);
  });
});
