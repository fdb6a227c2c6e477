import { afterAll, beforeAll } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { testKilledSteps } from "./support/killed-steps.ts";
import { afterRecord, beforeRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Daemons killed at the instants that decide where the guest runs; steps.long.test.ts has all others. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-steps");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

testKilledSteps(
  () => fault,
  [
    [
      "[rows 3] the source's daemon dies with its guest stopped in pre-switchover",
      { stands: "host-a", at: beforeRecord("promise"), dies: ["host-a"], ends: "home" },
    ],
    [
      "[rows 4] the source's daemon dies between the promise and migrate-continue",
      { stands: "host-a", at: afterRecord("promise"), dies: ["host-a"], ends: "home" },
    ],
    [
      "[rows 6] the destination's daemon dies after the stream is loaded, before the takeover",
      { stands: "host-b", at: beforeRecord("takeover"), dies: ["host-b"], ends: "away" },
    ],
    [
      "[rows 7] both daemons die between the takeover and cont",
      { stands: "host-b", at: afterRecord("takeover"), dies: ["host-a", "host-b"], ends: "away" },
    ],
  ],
);
