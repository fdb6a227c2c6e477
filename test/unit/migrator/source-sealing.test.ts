import { expect, test } from "vitest";
import { StoppedByHypervisor } from "../../../src/migrator/convergence.ts";
import { noGates } from "../../../src/migrator/gates.ts";
import { StillBusy } from "../../../src/migrator/last-look.ts";
import { pacedToEnd } from "../../../src/migrator/pacing.ts";
import { sealAtDestination, stopAtEndOfPass } from "../../../src/migrator/source-sealing.ts";
import { awaitPreSwitchover } from "../../../src/migrator/source-switchover.ts";
import { FakeClock, pass } from "../platform/fake-clock.ts";
import { task } from "./example-task.ts";
import { gateContext } from "./gate-support.ts";
import { SealingGuest } from "./sealing-guest.ts";

const frozenDeadlineMs = 2_000;
const megabyte = 2 ** 20;

/** The guest is to be stopped, armed in its first pass; `ended` tells how that went so far. */
function begin(prepare: (guest: SealingGuest) => void = () => {}) {
  const guest = new SealingGuest();
  const { context, facts, calls } = gateContext(noGates, guest);
  Object.assign(context.policy, { frozenDeadlineMs });
  const bandwidth = { firstPassBytesPerSecond: 1e8, maxBytesPerSecond: 0 };
  facts.pace = pacedToEnd(facts.instance, bandwidth, 0);
  prepare(guest);
  const cancel = new AbortController();
  const ended: { with: unknown } = { with: null };
  const stop = () => {
    ended.with = null;
    stopAtEndOfPass(context, facts, cancel.signal).then(
      () => {
        ended.with = "stopped";
      },
      (error: unknown) => {
        ended.with = error;
      },
    );
  };
  stop();
  const arrival = () => awaitPreSwitchover(context, facts, cancel.signal);
  return { guest, context, facts, calls, cancel, ended, stop, arrival };
}

test("the guest runs until the first pass is over, and is stopped then", async () => {
  using clock = new FakeClock();
  const { guest, facts, ended, arrival } = begin();
  await pass(clock, 5_000);
  expect([guest.stops, guest.bandwidths, ended.with]).toEqual([0, [0], null]);
  guest.pass(40_000);
  await pass(clock, 0);
  expect([guest.stops, guest.state, ended.with]).toEqual([1, "postmigrate", "stopped"]);
  expect(facts.stopIssuedMs).toBe(clock.nowMs);
  expect(facts.stoppedMs).not.toBeNull();
  const arrived = arrival();
  guest.become("device");
  guest.become("pre-switchover");
  await arrived;
  expect(guest.listeners).toBe(0);
});

test("a busy guest is not stopped: another pass makes less of it, and then it is, at once", async () => {
  using clock = new FakeClock();
  const { guest, facts, ended, stop } = begin();
  await pass(clock, 20);
  guest.pass(50 * megabyte);
  await pass(clock, 0);
  expect(ended.with).toBeInstanceOf(StillBusy);
  expect([guest.stops, guest.state]).toEqual([0, "running"]);
  expect(facts.predictedBlackoutMs).toBeGreaterThan(300);
  // That pass takes a window at least, and it is not the first: nothing is to be waited for any more.
  expect(guest.bandwidths.at(-1)).toBe(500 * megabyte);
  expect(facts.pace.armBelowBytes).toBe(0);
  // A stop cannot be taken back here: it is not given while too much is left.
  stop();
  await pass(clock, 0);
  expect([guest.stops, ended.with]).toEqual([0, new StillBusy()]);
  guest.pass(megabyte);
  stop();
  await pass(clock, 0);
  expect([guest.stops, ended.with]).toEqual([1, "stopped"]);
});

test("a guest that its hypervisor stops first stands since then, and no pass is waited for", async () => {
  using clock = new FakeClock();
  const { guest, facts, ended } = begin();
  await pass(clock, 20);
  guest.remainingBytes = 50 * megabyte;
  guest.standsStill();
  const stoodMs = clock.nowMs;
  await pass(clock, 100);
  expect([ended.with, facts.stopIssuedMs]).toEqual(["stopped", stoodMs]);
});

test("a stream that fails before the stop leaves the guest alone", async () => {
  using clock = new FakeClock();
  const { guest, ended, arrival } = begin();
  await pass(clock, 20);
  guest.become("failed");
  await pass(clock, 0);
  expect([guest.stops, guest.state, ended.with]).toEqual([0, "running", "stopped"]);
  await expect(arrival()).rejects.toMatchObject({ code: "SOJ_MIGRATION_FAILED" });
});

test("what came before anybody listened is seen: a stop, and a failure", async () => {
  using clock = new FakeClock();
  const stopped = begin((guest) => guest.standsStill());
  const failed = begin((guest) => guest.become("failed"));
  await pass(clock, 0);
  expect(stopped.ended.with).toBeInstanceOf(StoppedByHypervisor);
  expect(failed.ended.with).toMatchObject({ code: "SOJ_MIGRATION_FAILED" });
  expect([stopped.guest.stops, failed.guest.stops]).toEqual([0, 0]);
});

test("a hypervisor that does not answer is given up, in time counted from the guest's stop", async () => {
  using clock = new FakeClock();
  const { guest, ended } = begin();
  guest.obeys = false;
  await pass(clock, 20);
  guest.standsStill();
  await pass(clock, frozenDeadlineMs - 20);
  expect(ended.with).toBeNull();
  await pass(clock, 40);
  expect(ended.with).toMatchObject({ code: "SOJ_FROZEN_DEADLINE" });
});

test("a stopped guest whose stream does not end is given up in time", async () => {
  using clock = new FakeClock();
  const { guest, ended, arrival } = begin();
  await pass(clock, 20);
  guest.pass(0);
  await pass(clock, 0);
  expect(ended.with).toBe("stopped");
  const inTime = expect(arrival()).rejects.toMatchObject({ code: "SOJ_FROZEN_DEADLINE" });
  await pass(clock, frozenDeadlineMs + 20);
  await inTime;
});

test("a first pass that never ends is given up while the guest runs", async () => {
  using clock = new FakeClock();
  const { guest, ended } = begin();
  await pass(clock, 30_020, 500);
  expect(ended.with).toMatchObject({ code: "SOJ_STREAM_STALLED" });
  expect([guest.stops, guest.listeners]).toEqual([0, 1]);
  await pass(clock, frozenDeadlineMs, 500);
  expect(guest.listeners).toBe(0);
});

test("a cancellation ends the wait for the pass at once", async () => {
  using clock = new FakeClock();
  const { guest, ended, cancel } = begin();
  await pass(clock, 20);
  const reason = new Error("cancelled");
  cancel.abort(reason);
  await pass(clock, 0);
  expect([ended.with, guest.stops]).toEqual([reason, 0]);
});

test("a guest that its user had paused is not stopped, and its stream goes at full speed", async () => {
  using clock = new FakeClock();
  const world = gateContext(noGates, new SealingGuest());
  const guest = world.facts.instance as unknown as SealingGuest;
  guest.state = "paused";
  world.facts.resume = false;
  Object.assign(world.context.policy, { frozenDeadlineMs });
  const { signal } = new AbortController();
  await stopAtEndOfPass(world.context, world.facts, signal);
  expect([guest.stops, guest.bandwidths, world.facts.stopIssuedMs]).toEqual([0, [0], null]);
  const arrived = awaitPreSwitchover(world.context, world.facts, signal);
  await pass(clock, 20);
  guest.become("pre-switchover");
  await arrived;
});

test("the destination is told that the guest is its own", async () => {
  const { context, facts, calls } = gateContext(noGates, new SealingGuest());
  const late = { ...task, strategy: { name: "post-resume" as const } };
  await sealAtDestination(context, late, facts);
  expect(calls).toEqual(["seal"]);
  expect(facts.timeline.entries).toMatchObject([{ phase: "continue", host: "host-a" }]);
});
