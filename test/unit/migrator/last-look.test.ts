import { expect, test } from "vitest";
import type { MigrationProgress } from "../../../src/hypervisor/hypervisor.ts";
import { noGates } from "../../../src/migrator/gates.ts";
import { lookOnceMore, StillBusy } from "../../../src/migrator/last-look.ts";
import { PrecopyCourse } from "../../../src/migrator/precopy-course.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { FakeClock, pass } from "../platform/fake-clock.ts";
import { limits, unknownLink } from "./course-support.ts";
import { gateContext, StreamingGuest } from "./gate-support.ts";

/** Bytes that the link of these tests carries in a millisecond. */
const perMs = 25_000;

/** A guest that was just stopped, armed after a pass of this length that began with so many bytes. */
class StoppedGuest extends StreamingGuest {
  override state = "paused";
  runsAgain = 0;

  async cont(): Promise<void> {
    if (this.status !== "active")
      throw new SojournError("SOJ_HYPERVISOR_REFUSED", "migration is not finalized yet");
    this.runsAgain += 1;
    this.state = "running";
  }
}

function stopped(
  clock: FakeClock,
  passBytes: number,
  remainingBytes: number,
  guest = new StoppedGuest(),
) {
  const { context, facts } = gateContext(noGates, guest);
  Object.assign(context.policy, { frozenDeadlineMs: 2_000 });
  const link = { ...unknownLink, limitBytesPerSecond: perMs * 1000 };
  facts.course = new PrecopyCourse(link);
  const reading = (dirtySyncCount: number, left: number): MigrationProgress => ({
    ...{ status: "active", dirtySyncCount, remainingBytes: left, transferredBytes: dirtySyncCount },
    ...{ totalBytes: 2 ** 27, dirtyBytesPerSecond: 0, bandwidthMbps: 200 },
    ...{ throttlePercent: null, errorText: null },
  });
  facts.course.note(reading(2, 0));
  clock.nowMs += 1_000;
  const armed = reading(3, passBytes);
  facts.course.note(armed);
  facts.course.decide(armed, 0.9, limits);
  clock.nowMs += 100;
  facts.stopIssuedMs = clock.nowMs;
  guest.remainingBytes = remainingBytes;
  const ended: { with: unknown } = { with: null };
  lookOnceMore(context, facts, reading(3, remainingBytes)).then(
    () => {
      ended.with = "goes on";
    },
    (error: unknown) => {
      ended.with = error;
    },
  );
  return { guest, facts, ended };
}

test("a guest with clearly little left goes on at once", async () => {
  using clock = new FakeClock();
  const { guest, ended } = stopped(clock, 20 * perMs, 5 * perMs);
  await pass(clock, 0);
  expect([ended.with, guest.runsAgain, guest.listeners]).toEqual(["goes on", 0, 0]);
});

test("one with more left than it may stand for runs again, and the stream goes on", async () => {
  using clock = new FakeClock();
  const { guest, facts, ended } = stopped(clock, 200 * perMs, 400 * perMs);
  await pass(clock, 0);
  expect(ended.with).toBeInstanceOf(StillBusy);
  expect([guest.runsAgain, guest.state, facts.stopIssuedMs]).toEqual([1, "running", null]);
});

test("where it is not clear QEMU's count is waited for: little enough", async () => {
  using clock = new FakeClock();
  const { guest, ended } = stopped(clock, 250 * perMs, 150 * perMs);
  await pass(clock, 100);
  expect(ended.with).toBeNull();
  guest.pass(150 * perMs);
  await pass(clock, 0);
  expect([ended.with, guest.runsAgain, guest.listeners]).toEqual(["goes on", 0, 0]);
});

test("or too much, with the time that it stands already", async () => {
  using clock = new FakeClock();
  const { guest, ended } = stopped(clock, 250 * perMs, 150 * perMs);
  await pass(clock, 100);
  guest.pass(200 * perMs);
  await pass(clock, 0);
  expect([ended.with, guest.runsAgain, guest.listeners]).toEqual([new StillBusy(), 1, 0]);
});

test("a count that does not come in time is one too high", async () => {
  using clock = new FakeClock();
  const { guest, ended } = stopped(clock, 250 * perMs, 150 * perMs);
  await pass(clock, 300);
  expect([ended.with, guest.runsAgain]).toEqual([new StillBusy(), 1]);
});

test("a stream that ends meanwhile has nothing left", async () => {
  using clock = new FakeClock();
  const { guest, ended } = stopped(clock, 250 * perMs, 150 * perMs);
  await pass(clock, 50);
  guest.become("pre-switchover");
  await pass(clock, 0);
  expect([ended.with, guest.runsAgain]).toEqual(["goes on", 0]);
});

test("so has one that ends just when the guest is to run again", async () => {
  using clock = new FakeClock();
  const ends = new StoppedGuest();
  ends.status = "pre-switchover";
  const { guest, ended } = stopped(clock, 200 * perMs, 400 * perMs, ends);
  await pass(clock, 0);
  expect([ended.with, guest.runsAgain]).toEqual(["goes on", 0]);
});
