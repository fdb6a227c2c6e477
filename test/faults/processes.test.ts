import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { haltAt } from "./support/halted-migration.ts";
import { beforeRecord, type CodePlace } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** QEMU processes that are killed or frozen around the switchover. */
let fault: FaultLab;

/** The stream is loaded; the destination's daemon has heard of it and written nothing. */
const whenLoaded: CodePlace = {
  text: "this.#takeOver().catch(failed(",
  condition: "true",
};

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.shared();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

const backAtSource = { exitCode: 4, last: { type: "error", guest_state: "running-at-source" } };

test("[rows 12] the destination's QEMU is killed in pre-switchover: the guest goes on at the source", async () => {
  await using halted = await haltAt(fault, "host-a", beforeRecord("promise"));
  const { id, migration } = halted;
  await fault.end(fault.qemuOn("host-b"));
  await halted.goOn();
  expect(await migration.ended).toMatchObject(backAtSource);
  expect(await fault.expectSettled(id)).toBe("home");
});

test("[rows 13] the destination's QEMU is killed when it has loaded everything, before the takeover: the source gets its guest back", async () => {
  await using halted = await haltAt(fault, "host-b", whenLoaded);
  const { id, migration } = halted;
  await fault.end(fault.qemuOn("host-b"));
  await halted.goOn();
  expect(await migration.ended).toMatchObject(backAtSource);
  expect(await fault.expectSettled(id)).toBe("home");
});

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 14, 15] the destination's QEMU is frozen when the guest is stopped, and thaws later: it never runs the guest", async () => {
    await using halted = await haltAt(fault, "host-a", beforeRecord("promise"));
    const { id, migration } = halted;
    const frozen = fault.qemuOn("host-b");
    fault.signal(frozen, "SIGSTOP");
    await halted.goOn();
    expect(await migration.ended).toMatchObject(backAtSource);
    expect(() => process.kill(frozen, "SIGCONT")).toThrow("ESRCH");
    expect(await fault.expectSettled(id)).toBe("home");
  });
}

test("[rows 17] the source's QEMU is killed when the destination holds everything: the guest goes on there", async () => {
  await using halted = await haltAt(fault, "host-b", whenLoaded);
  const { id, migration } = halted;
  await fault.end(fault.qemuOn("host-a"));
  await halted.goOn();
  expect((await migration.ended).exitCode).toBe(0);
  expect(await fault.expectSettled(id)).toBe("away");
});

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 16] the source's QEMU is killed in precopy: the guest is lost, said so, and runs nowhere", async () => {
    fault.allowFreeze(null);
    await fault.setMigrationPolicy("host-a", "max_bandwidth_mbps = 8");
    const migration = fault.migrate("host-a", "host-b");
    await migration.streaming();
    await fault.end(fault.qemuOn("host-a"));
    expect(await migration.ended).toMatchObject({
      exitCode: 9,
      last: { type: "error", code: "SOJ_GUEST_GONE", guest_state: "lost" },
    });
    expect(fault.qemuProcesses()).toEqual([]);
    expect(await fault.placeAt("host-b")).toBeNull();
    await fault.setMigrationPolicy("host-a", "");
    await fault.run("host-a", ["sojourn", "guest", "start", "web1"]);
    await fault.openSession(60_000);
    await fault.expectHomeAndClean();
  });
}
