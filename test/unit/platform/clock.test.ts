import { afterEach, describe, expect, test, vi } from "vitest";
import { monotonicMs, wallClockMs } from "../../../src/platform/clock.ts";

describe("wall clock", () => {
  afterEach(() => vi.restoreAllMocks());

  test("is finer than a millisecond and agrees with the system's", () => {
    const readings = Array.from({ length: 50 }, () => wallClockMs());
    expect(readings.some((reading) => reading % 1 !== 0)).toBe(true);
    expect(Math.abs(wallClockMs() - Date.now())).toBeLessThan(500);
  });

  test("follows a clock that is set, forwards and back", () => {
    const real = Date.now;
    for (const stepMs of [3_600_000, -3_600_000, 5_000]) {
      vi.spyOn(Date, "now").mockImplementation(() => real() + stepMs);
      expect(Math.abs(wallClockMs() - (real() + stepMs))).toBeLessThan(500);
      vi.restoreAllMocks();
    }
    expect(Math.abs(wallClockMs() - real())).toBeLessThan(500);
  });

  test("the monotonic clock does not", () => {
    const before = monotonicMs();
    vi.spyOn(Date, "now").mockImplementation(() => 0);
    wallClockMs();
    expect(monotonicMs()).toBeGreaterThanOrEqual(before);
    expect(monotonicMs() - before).toBeLessThan(1_000);
  });
});
