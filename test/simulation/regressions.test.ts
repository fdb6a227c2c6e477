import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runStored } from "./run-schedules.ts";
import type { Schedule } from "./schedule.ts";

/** Schedules that once failed, as they were: what they led to, and they themselves. */
interface Regression {
  led_to: string;
  schedule: Schedule;
}

const folder = join(import.meta.dirname, "regressions");

test("schedules that once failed pass", async () => {
  const regressions = readdirSync(folder).map(
    (name): Regression => JSON.parse(readFileSync(join(folder, name), "utf8")),
  );
  const report = await runStored(regressions.map(({ schedule }) => schedule));
  expect(report.failures).toEqual([]);
  expect(report.schedules).toBe(regressions.length);
});
