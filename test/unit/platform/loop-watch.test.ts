import { expect, test } from "vitest";
import { LoopWatch } from "../../../src/platform/loop-watch.ts";
import { FakeClock } from "./fake-clock.ts";

test("a loop that turns has never stood still, however long it is watched", () => {
  using clock = new FakeClock();
  using watch = new LoopWatch(() => 0);
  for (let hour = 0; hour < 3; hour += 1) {
    clock.run(60_000);
    expect(watch.standstills).toBe(0);
  }
});

test("a standstill shows at once, before any timer has had its turn, and counts once", () => {
  using clock = new FakeClock();
  using watch = new LoopWatch(() => 0);
  clock.run(1_000);
  clock.stall(400);
  expect(watch.standstills).toBe(0);
  clock.stall(600);
  expect(watch.standstills).toBe(1);
  clock.run(1_000);
  expect(watch.standstills).toBe(1);
  clock.stall(35_000);
  clock.run(1_000);
  expect(watch.standstills).toBe(2);
});

test("a machine that slept counts, though its monotonic clock did not go on", () => {
  using clock = new FakeClock();
  let sleptMs = 5_000;
  using watch = new LoopWatch(() => sleptMs);
  clock.run(1_000);
  expect(watch.standstills).toBe(0);
  sleptMs += 3_600_000;
  expect(watch.standstills).toBe(1);
  clock.run(1_000);
  expect(watch.standstills).toBe(1);
});

test("this machine and its event loop", () => {
  using watch = new LoopWatch();
  expect(watch.standstills).toBe(0);
  const until = performance.now() + 600;
  while (performance.now() < until);
  expect(watch.standstills).toBe(1);
});

test("nothing is left behind when it is disposed of", () => {
  using clock = new FakeClock();
  const watch = new LoopWatch(() => 0);
  watch[Symbol.dispose]();
  clock.run(10_000);
  clock.stall(10_000);
  expect(watch.standstills).toBe(1);
});
