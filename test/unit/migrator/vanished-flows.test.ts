import { expect, test } from "vitest";
import { VanishedFlows } from "../../../src/migrator/vanished-flows.ts";
import type { TrackedFlow } from "../../../src/routing/flows/tracked-flow.ts";
import { session } from "./drain-world.ts";

const idleTimeoutS = 60;
const long = session("1", { expiresS: 432_000 });

function look(vanished: VanishedFlows, nowMs: number, sessions: TrackedFlow[] = []) {
  return vanished.note(sessions, [], nowMs, idleTimeoutS);
}

test("a session that the kernel has forgotten before its time counts until it would be idle for too long", async () => {
  const vanished = new VanishedFlows();
  expect(await look(vanished, 0, [long])).toBe(0);
  expect(await look(vanished, 2_000)).toBe(1);
  expect(await look(vanished, 61_000)).toBe(1);
  expect(await look(vanished, 62_000)).toBe(0);
  expect(await look(vanished, 64_000)).toBe(0);
});

test("one that is seen again, from either end, counts as itself", async () => {
  const vanished = new VanishedFlows();
  await look(vanished, 0, [long]);
  expect(await look(vanished, 2_000)).toBe(1);
  const again = session("9", { expiresS: 300, original: long.reply, reply: long.original });
  expect(await look(vanished, 4_000, [again])).toBe(0);
});

test("one that has ended, or whose time was over, has not vanished", async () => {
  const vanished = new VanishedFlows();
  await look(vanished, 0, [session("1", { expiresS: 2 })]);
  expect(await look(vanished, 2_000)).toBe(0);
  await look(vanished, 4_000, [long]);
  const over = session("1", { state: "TIME_WAIT", expiresS: 120 });
  expect(await vanished.note([], [over], 6_000, idleTimeoutS)).toBe(0);
  expect(await look(vanished, 130_000)).toBe(0);
});

test("what a full table makes room with is not remembered, however much there is", async () => {
  const vanished = new VanishedFlows();
  const flood = session("1", { protocol: 17, state: null, replied: false, assured: false });
  await look(vanished, 0, [flood, long]);
  expect(await look(vanished, 2_000, [long])).toBe(0);
});
