import { expect, test } from "vitest";
import type { GuestInstance } from "../../../src/hypervisor/hypervisor.ts";
import { resumeUnlessRunning } from "../../../src/migrator/resume.ts";
import { giveBack } from "../../../src/migrator/source-ending.ts";
import { createLogger } from "../../../src/platform/log.ts";

/** A process whose guest QEMU has stopped for a fault of its own. */
function broken(state: string) {
  const fake = {
    ...{ guest: "web1", conts: 0 },
    isAlive: () => true,
    runState: async () => state,
    migrationProgress: async () => ({ status: "cancelled" }),
    waitForEvent: () => new Promise(() => {}),
    cont: async () => {
      fake.conts += 1;
      throw new Error("Resetting the Virtual Machine is required");
    },
  };
  return { fake, instance: fake as unknown as GuestInstance };
}

test.each(["internal-error", "shutdown"])(
  "a guest that QEMU lets run only after a reset (%s) ends a roll-back and a takeover as it is",
  async (state) => {
    const { fake, instance } = broken(state);
    await giveBack({ instance, resume: true }, true);
    expect(await resumeUnlessRunning(instance, createLogger("silent"))).toBeNull();
    expect(fake.conts).toBe(0);
  },
);

test("a guest that merely stands is let run", async () => {
  const { fake, instance } = broken("paused");
  await expect(giveBack({ instance, resume: true }, true)).rejects.toThrow();
  expect(fake.conts).toBe(1);
});

test("a guest that its user has paused meanwhile stays paused when we had not stopped it", async () => {
  const { fake, instance } = broken("paused");
  await giveBack({ instance, resume: true }, false);
  expect(fake.conts).toBe(0);
});
