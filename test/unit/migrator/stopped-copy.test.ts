import { expect, test } from "vitest";
import type { GuestEvent, GuestInstance } from "../../../src/hypervisor/hypervisor.ts";
import { keepStopped, mayRun, stopIfRunning } from "../../../src/migrator/stopped-copy.ts";
import { createLogger } from "../../../src/platform/log.ts";

const logger = createLogger("silent");

/** A process that obeys, except for `refusals` first stops. */
function processThatRuns(refusals = 0) {
  const listeners = new Set<(event: GuestEvent) => void>();
  const fake = {
    ...{ guest: "web1", pid: 1, state: "paused", stops: 0 },
    isAlive: () => true,
    runState: async () => fake.state,
    onEvent: (listener: (event: GuestEvent) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: async () => {
      fake.stops += 1;
      if (fake.stops <= refusals) throw new Error("the monitor does not answer");
      fake.state = "paused";
    },
    /** Somebody's `cont`. */
    cont: () => {
      fake.state = "running";
      for (const listener of [...listeners]) {
        listener({ name: "RESUME", data: {}, timestampMs: 0, receivedMs: 0 });
      }
    },
  };
  return { fake, instance: fake as unknown as GuestInstance };
}

test("a copy that somebody lets run is stopped at once, each time", async () => {
  const { fake, instance } = processThatRuns();
  keepStopped(instance, logger);
  keepStopped(instance, logger);
  fake.cont();
  expect([fake.state, fake.stops]).toEqual(["paused", 1]);
  fake.cont();
  expect([fake.state, fake.stops]).toEqual(["paused", 2]);
});

test("a monitor that does not answer is asked again", async () => {
  const { fake, instance } = processThatRuns(2);
  keepStopped(instance, logger);
  fake.cont();
  await expect.poll(() => fake.state, { timeout: 5_000 }).toBe("paused");
  expect(fake.stops).toBe(3);
});

test("a copy that was let run while nobody watched is stopped", async () => {
  const { fake, instance } = processThatRuns();
  fake.cont();
  keepStopped(instance, logger);
  await stopIfRunning(instance, logger);
  expect(fake.state).toBe("paused");
});

test("once the destination has proved its abort, the guest runs", async () => {
  const { fake, instance } = processThatRuns();
  keepStopped(instance, logger);
  mayRun(instance);
  fake.cont();
  await stopIfRunning(instance, logger);
  expect([fake.state, fake.stops]).toEqual(["running", 0]);
});
