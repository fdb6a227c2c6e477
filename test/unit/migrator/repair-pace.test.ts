import { afterAll, afterEach, expect, test } from "vitest";
import { RepairPace } from "../../../src/migrator/repair-pace.ts";
import { replaceClock } from "../../../src/platform/clock.ts";

let nowMs = 0;
const clock = replaceClock({
  monotonicMs: () => nowMs,
  wallClockMs: () => nowMs,
  startTimer: () => ({ cancel: () => {} }),
});
afterAll(() => clock[Symbol.dispose]());
afterEach(() => {
  nowMs = 0;
});

function repairAsSoonAsAllowed(pace: RepairPace, times: number): number[] {
  return Array.from({ length: times }, () => {
    pace.repaired();
    const { waitMs } = pace;
    nowMs += waitMs;
    return waitMs;
  });
}

test("three repairs at once, then pauses that double up to 30 seconds", () => {
  const pace = new RepairPace();
  const seconds = repairAsSoonAsAllowed(pace, 10).map((ms) => ms / 1_000);
  expect(seconds).toEqual([0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
  expect(pace.isContested).toBe(true);
});

test("one repair a second is always allowed", () => {
  const pace = new RepairPace();
  for (let second = 0; second < 100; second += 1) {
    expect(repairAsSoonAsAllowed(pace, 1)).toEqual([0]);
    nowMs += 1_000;
  }
  expect(pace.isContested).toBe(false);
});

test("the pauses are over when nothing was changed for a while", () => {
  const pace = new RepairPace();
  repairAsSoonAsAllowed(pace, 5);
  nowMs += 11_000;
  pace.unchanged();
  expect(pace.isContested).toBe(false);
  expect(repairAsSoonAsAllowed(pace, 3)).toEqual([0, 0, 0]);
});

test("failures are tried again less and less often, until one succeeds", () => {
  const pace = new RepairPace();
  const waits = Array.from({ length: 7 }, () => {
    pace.failed();
    return pace.waitMs / 1_000;
  });
  expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
  nowMs += 30_000;
  expect(repairAsSoonAsAllowed(pace, 1)).toEqual([0]);
});
