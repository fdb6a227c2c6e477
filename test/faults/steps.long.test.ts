import { afterAll, beforeAll } from "vitest";
import type { JournalStep } from "../../src/migrator/journal-record.ts";
import { FaultLab } from "./support/fault-lab.ts";
import { type KilledStep, testKilledSteps } from "./support/killed-steps.ts";
import { afterRecord, beforeRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Daemons killed before and after each record of their journals, one of them or both. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-steps");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

type Host = KilledStep["stands"];

const recorded: [Host, JournalStep, string][] = [
  ["host-b", "prepared", "5"],
  ["host-a", "pausing", "2"],
  ["host-a", "promise", "3, 4"],
  ["host-b", "takeover", "6"],
  ["host-a", "taken-over-by-destination", "4"],
  ["host-b", "finished", "6"],
  ["host-a", "completed", "4"],
];

const both: readonly Host[] = ["host-a", "host-b"];

testKilledSteps(
  () => fault,
  recorded.flatMap(([stands, step, row]) =>
    [beforeRecord(step), afterRecord(step)].flatMap((at, index): [string, KilledStep][] => {
      const when = `${index === 0 ? "before" : "after"} the record ${step}`;
      return [
        [`[rows ${row}] ${stands}'s daemon dies ${when}`, { stands, at, dies: [stands] }],
        [`[rows 7] both daemons die ${when} of ${stands}`, { stands, at, dies: both }],
      ];
    }),
  ),
);
