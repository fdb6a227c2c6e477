import { afterAll, beforeAll, test } from "vitest";
import type { FaultLab } from "./support/fault-lab.ts";
import {
  expectOneDomainRuns,
  killLibvirtd,
  restartLibvirtd,
  testLibvirtFaults,
  upLibvirtLab,
} from "./support/libvirt-faults.ts";
import { afterRecord, beforeRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Daemons and libvirtds killed while a libvirt domain moves; libvirt.long.test.ts has all steps. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await upLibvirtLab(`fault-libvirt${process.pid}`);
});

afterAll(() => fault?.[Symbol.asyncDispose]());

testLibvirtFaults(
  () => fault,
  [
    [
      "[rows 4, 51] the source's daemon dies between the promise and its word to the destination",
      { stands: "host-a", at: afterRecord("promise"), daemons: ["host-a"] },
    ],
    [
      "[rows 51] the destination's libvirtd dies before the promise",
      { stands: "host-a", at: beforeRecord("promise"), libvirtds: ["host-b"] },
    ],
  ],
);

test("[rows 51] the source's libvirtd dies in precopy: the guest runs on, once", async () => {
  fault.allowFreeze(15_000);
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.streaming();
  await killLibvirtd(fault, "host-a");
  await restartLibvirtd(fault, "host-a");
  await migration.ended.catch(() => {});
  await fault.expectSettled(id);
  await expectOneDomainRuns(fault, "home");
}, 120_000);
