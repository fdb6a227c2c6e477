import { expect, test } from "vitest";
import { DeniedByGate, noGates } from "../../../src/migrator/gates.ts";
import { paced, pacedToEnd } from "../../../src/migrator/pacing.ts";
import { askBeforeArming, convergeAgain } from "../../../src/migrator/source-rest.ts";
import { FakeClock, pass } from "../platform/fake-clock.ts";
import { task } from "./example-task.ts";
import { gateContext, OpenGates, StreamingGuest } from "./gate-support.ts";
import { SealingGuest } from "./sealing-guest.ts";

/** A gate is asked before arming; `ended` tells how that went so far. */
function begin(guest = new StreamingGuest(), isPaced = false) {
  const gates = new OpenGates("armed");
  const world = gateContext(gates, guest);
  if (isPaced) {
    const bandwidth = { firstPassBytesPerSecond: 1e8, maxBytesPerSecond: 0 };
    world.facts.pace = paced(world.facts.instance, bandwidth);
  }
  const cancel = new AbortController();
  const ended: { with: unknown } = { with: null };
  askBeforeArming(world.context, task, world.facts, cancel.signal).then(
    () => {
      ended.with = "allowed";
    },
    (error: unknown) => {
      ended.with = error;
    },
  );
  return { ...world, gates, guest, cancel, ended };
}

test("without gates nothing at all is asked or set", async () => {
  const guest = new StreamingGuest();
  const { context, facts, calls } = gateContext(noGates, guest);
  await askBeforeArming(context, task, facts, new AbortController().signal);
  expect([facts.rest, guest.bandwidths, calls, guest.listeners]).toEqual([null, [], [], 0]);
});

test("a quick answer changes nothing for the stream", async () => {
  using clock = new FakeClock();
  const { facts, gates, guest, ended, told } = begin();
  await pass(clock, 60);
  gates.allow();
  await pass(clock, 0);
  expect([ended.with, facts.rest, guest.bandwidths]).toEqual(["allowed", null, []]);
  expect(told.map(({ decision }) => decision)).toEqual(["asked", "allow"]);
  expect(facts.gates).toMatchObject([{ gate: "board", point: "armed", decision: "allow" }]);
  expect(facts.timeline.entries).toMatchObject([{ phase: "gate", host: "host-a" }]);
  expect(guest.listeners).toBe(0);
});

test("while a gate thinks the stream rests; afterwards a new pass shows what the guest has dirtied", async () => {
  using clock = new FakeClock();
  const { context, facts, gates, guest, ended, calls } = begin();
  await pass(clock, 40_000, 500);
  expect(guest.bandwidths).toEqual([1024]);
  expect([guest.cancelled, calls]).toEqual([0, []]);
  gates.allow();
  await pass(clock, 0);
  expect([ended.with, facts.rest]).toEqual(["allowed", "held"]);

  let converged = false;
  guest.remainingBytes = 0;
  const signal = new AbortController().signal;
  const again = convergeAgain(context, { ...task, deadlineMs: 600_000 }, facts, signal).then(() => {
    converged = true;
  });
  await pass(clock, 200);
  // What is left of an old pass says nothing.
  expect(converged).toBe(false);
  expect(guest.bandwidths).toEqual([1024, 0]);
  guest.pass(400 * 2 ** 20);
  await pass(clock, 200);
  expect(converged).toBe(false);
  guest.pass(2 ** 16);
  await pass(clock, 40);
  await again;
  expect(facts.predictedBlackoutMs).toBeLessThan(30);
});

test("a QEMU that would stop its guest before the gate answers is given a new destination", async () => {
  using clock = new FakeClock();
  const { facts, gates, guest, ended, calls } = begin(new StreamingGuest(), true);
  await pass(clock, 1_000);
  expect([guest.bandwidths, guest.cancelled]).toEqual([[1024], 0]);
  guest.remainingBytes = 100_000;
  await pass(clock, 200);
  expect([guest.cancelled, calls, guest.state]).toEqual([1, ["renew-incoming"], "running"]);
  expect(facts.migrationPort).toBe(4711);
  await pass(clock, 30_000, 500);
  expect(ended.with).toBeNull();
  gates.allow();
  await pass(clock, 0);
  expect([ended.with, facts.rest, facts.attempts]).toEqual(["allowed", "given-up", 0]);
});

test("a guest that QEMU has stopped all the same runs again at once", async () => {
  using clock = new FakeClock();
  const { facts, gates, guest, ended } = begin(new StreamingGuest(), true);
  await pass(clock, 20);
  guest.become("pre-switchover", "finish-migrate");
  await pass(clock, 0);
  expect([guest.state, guest.cancelled]).toEqual(["running", 1]);
  gates.allow();
  await pass(clock, 0);
  expect([ended.with, facts.rest]).toEqual(["allowed", "given-up"]);
});

test("the stream of a guest that its user had paused waits, all sent", async () => {
  using clock = new FakeClock();
  const guest = new StreamingGuest();
  guest.status = "pre-switchover";
  guest.standStill();
  const gates = new OpenGates("armed");
  const { context, facts } = gateContext(gates, guest);
  facts.resume = false;
  const asking = askBeforeArming(context, task, facts, new AbortController().signal);
  await pass(clock, 30_000, 500);
  gates.allow();
  await asking;
  expect([facts.rest, guest.cancelled]).toEqual(["held", 0]);
});

test.each([
  ["fails", "SOJ_MIGRATION_FAILED", (guest: StreamingGuest) => guest.become("failed")],
  ["stands still", "SOJ_STREAM_STALLED", (guest: StreamingGuest) => guest.standStill()],
])("a stream that %s ends the waiting", async (_what, code, happen) => {
  using clock = new FakeClock();
  const { gates, guest, ended, told } = begin();
  await pass(clock, 500);
  happen(guest);
  await pass(clock, 6_000, 100);
  expect(ended.with).toMatchObject({ code });
  gates.allow();
  await pass(clock, 0);
  expect(told.map(({ decision }) => decision)).toEqual(["asked"]);
});

test("a denial and a cancellation end it at once", async () => {
  using clock = new FakeClock();
  const denied = begin();
  const note = {
    gate: "board",
    decision: "deny",
    answered: true,
    reason: null,
    waitedMs: 0,
  } as const;
  await pass(clock, 500);
  denied.gates.deny(new DeniedByGate("armed", note));
  await pass(clock, 0);
  expect(denied.ended.with).toMatchObject({ code: "SOJ_DENIED_BY_GATE", exitCode: 4 });

  const cancelled = begin();
  await pass(clock, 500);
  cancelled.cancel.abort(new Error("cancelled"));
  await pass(clock, 0);
  expect(cancelled.ended.with).toMatchObject({ message: "cancelled" });
  expect(cancelled.guest.listeners).toBe(0);
});

test("a stream that seals itself rests in its first pass, and is armed in that pass afterwards", async () => {
  using clock = new FakeClock();
  const guest = new SealingGuest();
  const { context, facts, gates, ended, calls } = begin(guest, true);
  facts.pace = pacedToEnd(
    facts.instance,
    { firstPassBytesPerSecond: 1e8, maxBytesPerSecond: 0 },
    0,
  );
  guest.remainingBytes = 20 * 2 ** 20;
  await pass(clock, 2_000, 100);
  gates.allow();
  await pass(clock, 0);
  expect([ended.with, facts.rest, calls]).toEqual(["allowed", "held", []]);
  await convergeAgain(context, task, facts, new AbortController().signal);
  // What is left lasts for seconds: nothing is sent a second time.
  expect(guest.bandwidths).toEqual([1024, 5 * 2 ** 20]);
});

test("a guest that its hypervisor stops while a gate thinks runs again at once, though its stream does not end", async () => {
  using clock = new FakeClock();
  const guest = new SealingGuest();
  const { facts, gates, ended, calls } = begin(guest, true);
  await pass(clock, 300);
  guest.standsStill();
  await pass(clock, 0);
  expect([guest.state, guest.cancelled, guest.offers]).toEqual(["running", 1, 1]);
  expect(calls).toEqual(["renew-incoming"]);
  gates.allow();
  await pass(clock, 0);
  expect([ended.with, facts.rest]).toEqual(["allowed", "given-up"]);
});
