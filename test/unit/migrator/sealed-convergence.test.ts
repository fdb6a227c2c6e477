import { expect, test } from "vitest";
import type { GuestInstance } from "../../../src/hypervisor/hypervisor.ts";
import {
  awaitConvergence,
  endsFirstPass,
  StoppedByHypervisor,
} from "../../../src/migrator/convergence.ts";
import { pacedToEnd } from "../../../src/migrator/pacing.ts";
import { PrecopyCourse } from "../../../src/migrator/precopy-course.ts";
import { giveBack } from "../../../src/migrator/source-ending.ts";
import { FakeClock, pass } from "../platform/fake-clock.ts";
import { limits, unknownLink } from "./course-support.ts";
import { SealingGuest } from "./sealing-guest.ts";

const megabyte = 2 ** 20;

/** The first pass of a stream that goes to its end by itself, with so much left. */
function follow(remainingBytes: number, running = true) {
  const guest = new SealingGuest();
  guest.remainingBytes = remainingBytes;
  const instance = guest as unknown as GuestInstance;
  const pace = pacedToEnd(instance, { firstPassBytesPerSecond: 1e8, maxBytesPerSecond: 0 }, 0);
  const policy = {
    ...{ ...limits, deadlineMs: 60_000, spentMs: 0, afterPass: 1, running },
    course: new PrecopyCourse(unknownLink),
  };
  const ended: { with: unknown } = { with: null };
  awaitConvergence(instance, pace, policy, () => {}, new AbortController().signal).then(
    () => {
      ended.with = "due";
    },
    (error: unknown) => {
      ended.with = error;
    },
  );
  return { guest, instance, ended };
}

test("arming is due near the end of the first pass, and what is left is made to last", async () => {
  using clock = new FakeClock();
  const { guest, ended } = follow(100 * megabyte);
  await pass(clock, 200);
  expect(ended.with).toBeNull();
  guest.remainingBytes = 24 * megabyte;
  await pass(clock, 20);
  expect([ended.with, guest.bandwidths.at(-1)]).toEqual(["due", 6 * megabyte]);
});

test("after an attempt that missed the end, arming comes earlier; never before anything was sent, or in a later pass", () => {
  const bandwidth = { firstPassBytesPerSecond: 1e8, maxBytesPerSecond: 0 };
  const instance = new SealingGuest() as unknown as GuestInstance;
  const [first, second] = [0, 1].map((attempts) => pacedToEnd(instance, bandwidth, attempts));
  const progress = { dirtySyncCount: 1, remainingBytes: 100 * megabyte, transferredBytes: 4096 };
  expect([first, second].map((pace) => pace && endsFirstPass(pace, progress))).toEqual([
    false,
    true,
  ]);
  for (const other of [{ transferredBytes: 0 }, { dirtySyncCount: 2 }, { remainingBytes: 0 }]) {
    expect(second && endsFirstPass(second, { ...progress, ...other })).toBe(false);
  }
});

test("a guest that its hypervisor stops before arming does not wait for the end of a stream that may not come", async () => {
  using clock = new FakeClock();
  const { guest, ended } = follow(100 * megabyte);
  await pass(clock, 100);
  guest.standStill();
  guest.standsStill();
  await pass(clock, 20);
  expect(ended.with).toBeInstanceOf(StoppedByHypervisor);
});

test("one that stands already when anybody looks is no different", async () => {
  using clock = new FakeClock();
  const guest = new SealingGuest();
  guest.standsStill();
  const instance = guest as unknown as GuestInstance;
  const pace = pacedToEnd(instance, { firstPassBytesPerSecond: 1e8, maxBytesPerSecond: 0 }, 0);
  const policy = {
    ...{ ...limits, deadlineMs: 60_000, spentMs: 0, afterPass: 1, running: true },
    course: new PrecopyCourse(unknownLink),
  };
  const following = awaitConvergence(instance, pace, policy, () => {}, AbortSignal.timeout(9_000));
  await expect(following).rejects.toThrow(StoppedByHypervisor);
  expect(clock.nowMs).toBe(1_000_000);
});

test("of a guest that its user had paused all may be on its way already", async () => {
  using clock = new FakeClock();
  const { guest, ended } = follow(100 * megabyte, false);
  guest.become("device", "paused");
  await pass(clock, 20);
  expect(ended.with).toBe("due");
});

test("a stream that was only offered is ended too: the guest would stay bound to it", async () => {
  const guest = new SealingGuest();
  guest.status = "none";
  await giveBack({ instance: guest as unknown as GuestInstance, resume: true }, true);
  expect([guest.cancelled, guest.state]).toEqual([1, "running"]);
});

test("a stream that arrives before it hears of its end hears of it once more", async () => {
  using clock = new FakeClock();
  const guest = new SealingGuest();
  guest.standsStill();
  guest.cancelMigration = async () => {
    guest.cancelled += 1;
    guest.status = guest.cancelled === 1 ? "cancelling" : "cancelled";
    if (guest.cancelled === 2) guest.state = "running";
  };
  const given = giveBack({ instance: guest as unknown as GuestInstance, resume: true }, true);
  await pass(clock, 20);
  expect([guest.cancelled, guest.state]).toEqual([1, "postmigrate"]);
  guest.status = "pre-switchover";
  await pass(clock, 20);
  await given;
  expect([guest.cancelled, guest.state]).toEqual([2, "running"]);
});
