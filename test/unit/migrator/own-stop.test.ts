import { expect, test } from "vitest";
import { noGates } from "../../../src/migrator/gates.ts";
import { SourceEffects } from "../../../src/migrator/source-effects.ts";
import { giveBack } from "../../../src/migrator/source-ending.ts";
import type { StallGuard } from "../../../src/migrator/stall-guard.ts";
import { task } from "./example-task.ts";
import { gateContext, StreamingGuest } from "./gate-support.ts";

/** QEMU stops it, and does not answer any more. */
class SilentlyStopped extends StreamingGuest {
  waitForEvent = () => new Promise(() => {});

  async stop(): Promise<void> {
    this.state = "paused";
    throw new Error("the monitor is silent");
  }

  async cont(): Promise<void> {
    this.state = "running";
  }
}

test("a stop after one that was taken back is ours again: whatever comes of it, the roll-back lets the guest run", async () => {
  const guest = new SilentlyStopped();
  const { context, facts } = gateContext(noGates, guest);
  Object.assign(context.policy, { frozenDeadlineMs: 2_000 });
  facts.runsOn = true;
  const guard = { beforeStop: async () => {} } as StallGuard;
  const effects = new SourceEffects(context, task, facts, guard);
  const stopped = effects.perform("stop-guest", "armed", new AbortController().signal);
  await expect(stopped).rejects.toThrow("the monitor is silent");
  expect(guest.state).toBe("paused");
  guest.status = "cancelled";
  await giveBack(facts, true);
  expect(guest.state).toBe("running");
});
