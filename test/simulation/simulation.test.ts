import { expect, test } from "vitest";
import { describeReport } from "./describe-report.ts";
import { runSeeds } from "./run-schedules.ts";

const schedules = 30_000;

/** Kinds of faults, and of ends, that prove nothing when they hardly happen. */
const faults = [
  ...["kill-daemon", "stop-daemon", "lose-power", "stall-daemon", "cut", "reset-stream"],
  ...["kill-qemu", "freeze-qemu", "network-fails", "disk-fails", "cancel", "migrate"],
  ...["restart-libvirtd", "resolve"],
];
const outcomes = [
  ...["completed", "rolled-back", "cancelled", "in-doubt", "guest-lost", "denied"],
  ...["post-copy", "recovered"],
];

test(`[rows 1-8, 10-23, 25, 26, 28, 32, 40, 49, 53] ${schedules} schedules of crashes, partitions and stalls: one running copy, a true word, nothing left over`, async () => {
  const report = await runSeeds(1, schedules);
  console.log(describeReport(report));
  expect(report.failures).toEqual([]);
  expect(report.schedules).toBe(schedules);
  for (const fault of faults) expect(report.faults[fault]).toBeGreaterThan(schedules / 100);
  for (const outcome of outcomes) expect(report.outcomes[outcome]).toBeGreaterThan(schedules / 250);
});
