import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { haltAt } from "./support/halted-migration.ts";
import { operatorArguments, operatorSays } from "./support/operator-monitor.ts";
import { beforeRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";
import { redefineGuest } from "./support/redefined-guest.ts";

/** Somebody who lets the guest run at its source after the promise, and what else keeps it from that. */
let fault: FaultLab;
let folder: string;

recordEachFault(() => fault);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sojourn-images-"));
  fault = await FaultLab.up("fault-stranger");
  await redefineGuest(fault, { extra_arguments: operatorArguments });
  await fault.rememberAway();
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await fault?.[Symbol.asyncDispose]();
});

test("[rows 24] an operator lets a guest without a disk run at the source while the daemon there is away: its start ends the second copy", async () => {
  fault.allowFreeze(10_000);
  const place = beforeRecord("taken-over-by-destination");
  await using halted = await haltAt(fault, "host-a", place);
  const { id, migration } = halted;
  await fault.kill("host-a");
  fault.injected += 1;
  // Two copies run now, as long as nobody is there who could see it.
  expect(await operatorSays(fault, "host-a", ["cont", "info status"])).toContain(
    "VM status: running",
  );
  expect(fault.qemuProcesses()).toHaveLength(2);
  await fault.restart("host-a");
  await migration.ended.catch(() => {});
  await fault.recovered("host-a");
  expect(fault.qemuProcesses().map(({ node }) => node)).toEqual(["host-b"]);
  expect(await fault.expectSettled(id)).toBe("away");
});

test("[rows 24] an operator lets a guest with a disk run at the source after the promise: the image's lock refuses", async () => {
  const image = join(folder, "disk.img");
  writeFileSync(image, "");
  truncateSync(image, 1024 * 1024);
  await redefineGuest(fault, { disks: [{ path: image, format: "raw" }] });
  // Its own restart is no freeze.
  fault.beginCase();
  fault.allowFreeze(10_000);
  const place = beforeRecord("taken-over-by-destination");
  await using halted = await haltAt(fault, "host-a", place);
  const { id, migration } = halted;
  fault.injected += 1;
  const told = await operatorSays(fault, "host-a", ["cont", "info status"]);
  expect(told).toMatch(/Failed to get ".*" lock/);
  expect(told).toContain("VM status: paused (postmigrate)");
  await halted.goOn();
  expect((await migration.ended).exitCode).toBe(0);
  expect(await fault.expectSettled(id)).toBe("away");
});

test.each([
  ["its end", 4, "SOJ_GUEST_PAUSED"],
  ["a cancellation", 6, "SOJ_CANCELLED"],
] as const)(
  "[rows 26] a guest that its user pauses in precopy stays paused, after %s",
  async (end, exitCode, code) => {
    fault.allowFreeze(null);
    await fault.setMigrationPolicy("host-a", "max_bandwidth_mbps = 40");
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.streaming();
    await operatorSays(fault, "host-a", ["stop"]);
    fault.injected += 1;
    if (end === "a cancellation") await fault.run("host-a", ["sojourn", "cancel", id]);
    expect(await migration.ended).toMatchObject({ exitCode, last: { type: "error", code } });
    expect(await fault.placeAt("host-a")).toEqual({ state: "paused", host: "host-a" });
    expect(await fault.placeAt("host-b")).toBeNull();
    await operatorSays(fault, "host-a", ["cont"]);
    await fault.setMigrationPolicy("host-a", "");
    await fault.expectHomeAndClean();
  },
);
