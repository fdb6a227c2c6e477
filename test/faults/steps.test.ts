import { afterAll, beforeAll } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { testKilledSteps } from "./support/killed-steps.ts";
import { afterRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Daemons killed right after the two records that decide where the guest runs; steps.long.test.ts has all others. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.shared();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

testKilledSteps(
  () => fault,
  [
    [
      "[rows 4] the source's daemon dies between the promise and migrate-continue",
      { stands: "host-a", at: afterRecord("promise"), dies: ["host-a"], ends: "home" },
    ],
    [
      "[rows 7] both daemons die between the takeover and cont",
      { stands: "host-b", at: afterRecord("takeover"), dies: ["host-a", "host-b"], ends: "away" },
    ],
  ],
);
