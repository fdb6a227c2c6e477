import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HookFeedEvent } from "../../../../src/daemon/hooks/feed-source.ts";
import { QuietTimes } from "../../../../src/daemon/hooks/quiet-times.ts";
import type { GateEvent } from "../../../../src/migrator/events.ts";
import { delay } from "../../../../src/platform/clock.ts";
import { phaseEvent, reportWith, status } from "../../../support/fake-services.ts";
import { startFastClock } from "./fast-clock.ts";

let clock: ReturnType<typeof startFastClock>;

beforeEach(() => {
  clock = startFastClock();
});

afterEach(() => clock[Symbol.dispose]());

const told = (
  state: HookFeedEvent["migration"]["state"],
  event: HookFeedEvent["event"] = phaseEvent,
  id = "m1",
): HookFeedEvent => ({ wallClockMs: 0, migration: { ...status, id, state }, event });
const allowed: GateEvent = {
  ...{ type: "gate", id: "m1", gate: "g", point: "armed", decision: "allow", answered: true },
  ...{ reason: null, waited_ms: 1, at_ms: 1, wall_clock_ms: 1 },
};

describe("quiet times", () => {
  it("end when a guest stands or a migration is armed, and begin again", () => {
    let isStanding = false;
    const quiet = new QuietTimes(() => isStanding);
    expect(quiet.isQuiet()).toBe(true);
    isStanding = true;
    expect(quiet.isQuiet()).toBe(false);
    isStanding = false;
    quiet.note(told("precopy"));
    expect(quiet.isQuiet()).toBe(true);
    quiet.note(told("armed"));
    quiet.note(told("armed", phaseEvent, "m2"));
    expect(quiet.isQuiet()).toBe(false);
    quiet.note(told("resumed"));
    expect(quiet.isQuiet()).toBe(false);
    quiet.note(told("armed", reportWith({ outcome: "rolled-back" }), "m2"));
    expect(quiet.isQuiet()).toBe(true);
  });

  it("begin again after a while when a gate delays, and end when it has allowed", async () => {
    const quiet = new QuietTimes(() => false);
    quiet.note(told("armed"));
    await delay(9_000);
    quiet.note(told("armed", { ...allowed, decision: "delay" }));
    expect(quiet.isQuiet()).toBe(false);
    await delay(1_500);
    expect(quiet.isQuiet()).toBe(true);
    quiet.note(told("armed", allowed));
    expect(quiet.isQuiet()).toBe(false);
  });

  it("are waited for, until the signal fires", async () => {
    let looks = 0;
    const quiet = new QuietTimes(() => {
      looks += 1;
      return looks < 5;
    });
    await quiet.begin(new AbortController().signal);
    expect(looks).toBe(5);
    const stop = new AbortController();
    const waiting = new QuietTimes(() => true).begin(stop.signal);
    stop.abort();
    await expect(waiting).rejects.toThrow();
  });
});
