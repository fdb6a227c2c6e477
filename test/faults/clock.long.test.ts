import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MigrationReport } from "../../src/migrator/report.ts";
import { FaultLab } from "./support/fault-lab.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Wall clocks that are set in mid-migration: one host's daemon sees another time (Debian's libfaketime). */
let fault: FaultLab;
let folder: string;

const library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const hourS = 3_600;

recordEachFault(() => fault);

beforeAll(async () => {
  if (!existsSync(library)) throw new Error(`${library} is missing: apt-get install libfaketime`);
  folder = mkdtempSync(join(tmpdir(), "sojourn-clocks-"));
  fault = await FaultLab.up("fault-clocks");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await fault?.[Symbol.asyncDispose]();
});

test.each([
  ["host-a", 0, hourS],
  ["host-a", hourS, 0],
  ["host-b", 0, hourS],
  ["host-b", hourS, 0],
] as const)(
  "[rows 39] the wall clock of %s goes from %i s to %i s ahead in precopy: nothing expires, the report stays true",
  async (host, beforeS, afterS) => {
    const clock = join(folder, host);
    const set = (aheadS: number) => writeFileSync(clock, `+${aheadS}\n`);
    set(beforeS);
    await restartWithClock(host, clock);
    const migration = fault.migrate("host-a", "host-b");
    await migration.phase("precopy");
    fault.injected += 1;
    set(afterS);
    const { exitCode, last } = await migration.ended;
    expect(last).toMatchObject({ type: "report", outcome: "completed" });
    expect(exitCode).toBe(0);
    expect(aheadMs(host)).toBeGreaterThan(afterS * 1000 - 60_000);
    expect(aheadMs(host)).toBeLessThan(afterS * 1000 + 60_000);
    expectTrueTimes(last as MigrationReport, host);
    await fault.expectAway();
    await fault.restart(host);
    await fault.returnHome();
  },
);

test("[rows 39] the destination's clock is set during a long precopy: its lease neither ends early nor never", async () => {
  const clock = join(folder, "lease");
  writeFileSync(clock, "+0\n");
  await fault.setMigrationPolicy("host-a", "max_bandwidth_mbps = 8");
  await restartWithClock("host-b", clock);
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.streaming();
  const known = migration.lines.length;
  fault.injected += 1;
  writeFileSync(clock, `+${hourS}\n`);
  // It goes on after the next renewal of the lease, and nothing was given up.
  const until = Date.now() + 6_000;
  await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(until);
  expect(migration.lines.length).toBeGreaterThan(known);
  expect(await fault.journaled("host-b", id)).toEqual(["prepared"]);
  // Without its source the lease still ends.
  await fault.kill("host-a");
  await expect
    .poll(() => fault.journaled("host-b", id), { timeout: 45_000, interval: 500 })
    .toContain("abort");
  await fault.restart("host-a");
  await fault.restart("host-b");
  expect(await fault.expectSettled(id)).toBe("home");
  await fault.setMigrationPolicy("host-a", "");
});

/** How far ahead of ours the clock is that a host's daemon writes into its log. */
function aheadMs(host: string): number {
  const last = fault.lab.log(host).trim().split("\n").at(-1) ?? "{}";
  return Date.parse((JSON.parse(last) as { time: string }).time) - Date.now();
}

/** Every instant is within the migration, which took seconds; what the other clock made unknown is null. */
function expectTrueTimes(report: MigrationReport, host: string): void {
  expect(report.total_ms).toBeGreaterThan(0);
  expect(report.total_ms).toBeLessThan(60_000);
  for (const { phase, at_ms } of report.timeline) {
    expect(at_ms, phase).toBeGreaterThan(-50);
    expect(at_ms, phase).toBeLessThan(report.total_ms + 50);
  }
  const phases = report.timeline.map(({ phase }) => phase);
  const known = ["preparing", "prepared", "precopy", "armed", "stop", "promise", "completed"];
  expect(phases.filter((phase) => known.includes(phase))).toEqual(known);
  if (report.blackout_ms === null) expect(host).toBe("host-b");
  else expect(report.blackout_ms).toBeGreaterThan(0);
  expect(report.blackout_ms ?? 0).toBeLessThan(2_000);
}

/** The monotonic clock stays as it is, as when a machine's time is set. */
async function restartWithClock(host: string, path: string): Promise<void> {
  const fake = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: path,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    FAKETIME_NO_CACHE: "1",
  };
  Object.assign(process.env, fake);
  try {
    await fault.restart(host);
  } finally {
    for (const name of Object.keys(fake)) delete process.env[name];
  }
}
