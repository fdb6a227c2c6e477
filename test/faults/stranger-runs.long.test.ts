import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { haltAt } from "./support/halted-migration.ts";
import { operatorArguments, operatorSays } from "./support/operator-monitor.ts";
import { beforeRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";
import { redefineGuest } from "./support/redefined-guest.ts";

/** Somebody who lets the guest run at its source after the promise. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-stranger-runs");
  await redefineGuest(fault, { extra_arguments: operatorArguments });
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 24] an operator lets a guest without a disk run at the source after the promise: it is stopped again at once", async () => {
  // The destination's daemon stands still meanwhile, so that nothing else ends the source's process.
  fault.allowFreeze(10_000);
  await using halted = await haltAt(fault, "host-b", beforeRecord("takeover"));
  const { id, migration } = halted;
  fault.injected += 1;
  await operatorSays(fault, "host-a", ["cont"]);
  await expect
    .poll(() => fault.lab.log("host-a"), { interval: 20, timeout: 1_000 })
    .toContain("alarm: the source's copy ran after the promise; it is stopped");
  expect(await operatorSays(fault, "host-a", ["info status"])).toContain("VM status: paused");
  await halted.goOn();
  expect((await migration.ended).exitCode).toBe(0);
  expect(await fault.expectSettled(id)).toBe("away");
});
