import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab, rolledBackIn } from "./support/fault-lab.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Faults while memory is on its way: everything goes back to the source. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.shared();
  // So slow that memory never arrives by itself.
  await fault.setMigrationPolicy("host-a", "max_bandwidth_mbps = 8");
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 11] the destination's QEMU is killed", async () => {
  const migration = fault.migrate("host-a", "host-b");
  await migration.streaming();
  fault.signal(fault.qemuOn("host-b"), "SIGKILL");
  expect(await migration.ended).toMatchObject(rolledBackIn("precopy", "SOJ_MIGRATION_FAILED"));
  await fault.expectHomeAndClean();
});

test("[rows 15] the destination's QEMU is frozen, the migration cancelled, the process thawed", async () => {
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.streaming();
  const frozen = fault.qemuOn("host-b");
  fault.signal(frozen, "SIGSTOP");
  await fault.run("host-a", ["sojourn", "cancel", id]);
  expect(await migration.ended).toMatchObject({ exitCode: 6, last: { code: "SOJ_CANCELLED" } });
  expect(() => process.kill(frozen, "SIGCONT")).toThrow("ESRCH");
  await fault.expectHomeAndClean();
});

test("[rows 25] a second migration is refused; the first is not disturbed by it, and then cancelled", async () => {
  const first = fault.migrate("host-a", "host-b");
  const id = await first.streaming();
  const second = await fault.migrate("host-a", "host-b").ended;
  expect(second).toMatchObject({
    exitCode: 3,
    last: { type: "error", code: "SOJ_GUEST_BUSY", hint: `sojourn watch ${id}` },
  });
  await fault.run("host-a", ["sojourn", "cancel", id]);
  expect(await first.ended).toMatchObject({
    exitCode: 6,
    last: { type: "error", code: "SOJ_CANCELLED", guest_state: "running-at-source" },
  });
  await fault.expectHomeAndClean();
});

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 5] the destination's daemon is killed and comes back", async () => {
    const migration = fault.migrate("host-a", "host-b");
    await migration.streaming();
    await fault.kill("host-b");
    await fault.restart("host-b");
    expect(await migration.ended).toMatchObject(rolledBackIn("precopy", "SOJ_MIGRATION_FAILED"));
    await fault.expectHomeAndClean();
  });
}

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 5] the destination's daemon is killed and stays away until after the roll-back", async () => {
    const migration = fault.migrate("host-a", "host-b");
    await migration.streaming();
    await fault.kill("host-b");
    expect(await migration.ended).toMatchObject(rolledBackIn("precopy", "SOJ_PEER_UNREACHABLE"));
    expect(await fault.placeAt("host-a")).toEqual({ state: "running", host: "host-a" });
    await fault.restart("host-b");
    await fault.expectHomeAndClean();
  });
}

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 2] the source's daemon is killed and comes back", async () => {
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.streaming();
    await fault.kill("host-a");
    await fault.restart("host-a");
    await fault.recovered("host-a");
    await migration.ended.catch(() => {});
    const { exitCode, last } = await fault.watch("host-a", id).ended;
    expect(last).toMatchObject({
      code: "SOJ_DAEMON_RESTARTED",
      guest_state: "running-at-source",
    });
    expect(exitCode).toBe(4);
    await fault.expectHomeAndClean();
  });
}

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 7] both daemons are killed and come back", async () => {
    const migration = fault.migrate("host-a", "host-b");
    await migration.streaming();
    await Promise.all([fault.kill("host-a"), fault.kill("host-b")]);
    await Promise.all([fault.restart("host-a"), fault.restart("host-b")]);
    await fault.recovered("host-a");
    await migration.ended.catch(() => {});
    await fault.expectHomeAndClean();
  });
}

test("[rows 29] memory never arrives in time: the source goes on and says why", async () => {
  const migration = fault.migrate("host-a", "host-b", ["--timeout", "3"]);
  fault.injected += 1;
  expect(await migration.ended).toMatchObject(rolledBackIn("precopy", "SOJ_NOT_CONVERGING"));
  await fault.expectHomeAndClean();
});
