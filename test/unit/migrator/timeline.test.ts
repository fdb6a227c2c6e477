import { afterEach, beforeEach, expect, test } from "vitest";
import { Timeline } from "../../../src/migrator/timeline.ts";
import { replaceClock } from "../../../src/platform/clock.ts";

const hourMs = 3_600_000;
const originMs = 1_700_000_000_000;

let nowMs: number;
let setByMs: number;
let clock: Disposable;

beforeEach(() => {
  nowMs = 5_000;
  setByMs = 0;
  clock = replaceClock({
    monotonicMs: () => nowMs,
    wallClockMs: () => originMs + nowMs + setByMs,
    startTimer: () => ({ cancel: () => {} }),
  });
});
afterEach(() => clock[Symbol.dispose]());

const wallMs = () => originMs + nowMs + setByMs;

test.each([hourMs, -hourMs])("a wall clock that is set by %i ms moves no instant", (jumpMs) => {
  const timeline = new Timeline(() => {});
  nowMs += 10;
  timeline.mark("preparing", "host-a");
  nowMs += 10;
  const stampBefore = wallMs();
  setByMs = jumpMs;
  nowMs += 10;
  const stampAfter = wallMs();
  nowMs += 10;
  timeline.mark("armed", "host-a");
  timeline.mark("stop", "host-a", stampBefore);
  timeline.mark("pre-switchover", "host-a", stampAfter);
  expect(timeline.sorted().map(({ phase, at_ms }) => [phase, at_ms])).toEqual([
    ["preparing", 10],
    ["stop", 20],
    ["pre-switchover", 30],
    ["armed", 40],
  ]);
  expect(timeline.elapsedMs()).toBe(40);
});

test("an instant of another host whose clock was set is not known", () => {
  const timeline = new Timeline(() => {});
  nowMs += 1_000;
  expect(timeline.placeMs(wallMs() - 10)).toBe(990);
  expect(timeline.placeMs(wallMs() + hourMs)).toBeNull();
  expect(timeline.placeMs(wallMs() - hourMs)).toBeNull();
});

test("a stamp that cannot be meant counts as now", () => {
  const timeline = new Timeline(() => {});
  nowMs += 7;
  expect(timeline.mark("stop", "host-a", wallMs() + hourMs)).toBe(7);
});

test("a clock that is slewed keeps its stamps as they are", () => {
  const timeline = new Timeline(() => {});
  nowMs += 10_000;
  setByMs = 5;
  expect(timeline.placeMs(wallMs() - 1)).toBeCloseTo(10_004, 6);
});
