import fc from "fast-check";
import { expect, test } from "vitest";
import { forecastOf } from "../../../src/migrator/forecast.ts";

const [fast, slow] = [125e6, 12.5e6];
const figures = {
  ...{ dirtyBytesPerSecond: 112.5e6, linkBytesPerSecond: fast },
  ...{ throttlePercent: 40, predictedMs: 900, limitMs: 300 },
};

test("a guest that dirties about as much as the link carries does not converge", () => {
  const text = "will not converge: dirties 900 Mbit/s, link 1000 Mbit/s, throttling at 40 %";
  expect(forecastOf(figures)).toEqual({ converges: false, text });
});

test("one that dirties clearly less does, and so does one with little left", () => {
  expect(forecastOf({ ...figures, dirtyBytesPerSecond: slow, throttlePercent: null })).toEqual({
    converges: true,
    text: "converges: dirties 100 Mbit/s, link 1000 Mbit/s",
  });
  expect(forecastOf({ ...figures, predictedMs: 300 })?.converges).toBe(true);
});

test("nothing is told before anything was measured", () => {
  expect(forecastOf({ ...figures, dirtyBytesPerSecond: null })).toBeNull();
  expect(forecastOf({ ...figures, predictedMs: null })).toBeNull();
});

test("a faster link or a quieter guest never makes it worse", () => {
  const rate = fc.double({ min: 0, max: 1e10, noNaN: true });
  fc.assert(
    fc.property(rate, rate, fc.double({ min: 1, max: 100, noNaN: true }), (dirty, link, factor) => {
      const of = (dirtyBytesPerSecond: number, linkBytesPerSecond: number) =>
        forecastOf({ ...figures, dirtyBytesPerSecond, linkBytesPerSecond })?.converges;
      if (!of(dirty, link)) return;
      expect([of(dirty / factor, link), of(dirty, link * factor)]).toEqual([true, true]);
    }),
  );
});
