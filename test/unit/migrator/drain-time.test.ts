import { expect, test } from "vitest";
import { countedNow, elapsedMs, isCountDue } from "../../../src/migrator/drain-time.ts";
import { FakeClock } from "../platform/fake-clock.ts";
import { drain as updated } from "./drain-world.ts";

const drain = { ...updated, nameUpdatedMs: null };

test("a drain's time goes on across daemons, and not by a wall clock that is set", () => {
  using clock = new FakeClock();
  expect(elapsedMs(undefined, "b1")).toBe(0);
  const counted = countedNow(drain, "b1");
  expect(counted).toMatchObject({ elapsedMs: 0, nameElapsedMs: null, boot: "b1" });
  clock.stall(5_000);
  clock.wallOffsetMs = 3_600_000;
  expect(elapsedMs(counted, "b1")).toBe(5_000);
  clock.wallOffsetMs = -3_600_000;
  expect(elapsedMs(counted, "b1")).toBe(5_000);
});

test("after a reboot it goes on from what was stored", () => {
  using clock = new FakeClock();
  const first = countedNow(drain, "b1");
  clock.stall(700_000);
  expect(isCountDue({ ...drain, counted: first }, "b1")).toBe(true);
  const stored = countedNow({ ...drain, counted: first }, "b1");
  expect(isCountDue({ ...drain, counted: stored }, "b1")).toBe(false);
  clock.nowMs = 20;
  expect(elapsedMs(stored, "b2")).toBe(700_000);
  expect(isCountDue({ ...drain, counted: stored }, "b2")).toBe(true);
  const again = countedNow({ ...drain, counted: stored }, "b2");
  clock.stall(1_000);
  expect(elapsedMs(again, "b2")).toBe(701_000);
  expect([stored.rebootElapsedMs, again.rebootElapsedMs]).toEqual([undefined, 700_000]);
  expect(countedNow({ ...drain, counted: again }, "b2").rebootElapsedMs).toBe(700_000);
});

test("a name's update counts from when it was seen, and is stored at once", () => {
  using clock = new FakeClock();
  const counted = countedNow(drain, "b1");
  clock.stall(5_000);
  const seenDrain = { ...drain, counted, nameUpdatedMs: clock.nowMs };
  expect(isCountDue(seenDrain, "b1")).toBe(true);
  const seen = countedNow(seenDrain, "b1");
  expect(seen.nameElapsedMs).toBe(5_000);
  clock.stall(5_000);
  expect(countedNow({ ...seenDrain, counted: seen }, "b1").nameElapsedMs).toBe(5_000);
});
