import { afterAll, beforeAll, expect, test } from "vitest";
import { cutLink } from "./support/cut-links.ts";
import { FaultLab, leaseMs } from "./support/fault-lab.ts";
import { haltAt } from "./support/halted-migration.ts";
import { afterRecord, beforeRecord, type CodePlace } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Links between the hosts that go silent for so long that leases and deadlines decide. */
let fault: FaultLab;

/** After migrate-continue, before the destination is asked. */
const afterContinue: CodePlace = {
  text: "const unsubscribe = facts.instance.onEvent(",
  condition: "true",
};

const atHome = { state: "running", host: "host-a" };

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-cuts");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test.each(["control", "b to a", "both"] as const)(
  "[rows 18, 22] in precopy the link is cut (%s): the source takes back, the destination's lease expires",
  async (what) => {
    await fault.setMigrationPolicy("host-a", "max_bandwidth_mbps = 8");
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.streaming();
    await using cut = await cutLink(fault, what);
    expect(await migration.ended).toMatchObject({
      exitCode: 4,
      last: { type: "error", guest_state: "running-at-source" },
    });
    expect(await fault.placeAt("host-a")).toEqual(atHome);
    expect(await cut.droppedPackets()).toBeGreaterThan(0);
    await expect
      .poll(() => fault.journaled("host-b", id), { timeout: leaseMs + 10_000, interval: 500 })
      .toContain("abort");
    await cut[Symbol.asyncDispose]();
    await fault.expectHomeAndClean();
    await fault.setMigrationPolicy("host-a", "");
  },
);

test("[rows 19] in precopy the data link is cut, the control link is fine: the standstill is noticed", async () => {
  await fault.setMigrationPolicy("host-a", "max_bandwidth_mbps = 8");
  const migration = fault.migrate("host-a", "host-b");
  await migration.streaming();
  {
    await using cut = await cutLink(fault, "data");
    expect(await migration.ended).toMatchObject({
      exitCode: 4,
      last: { type: "error", code: "SOJ_STREAM_STALLED", guest_state: "running-at-source" },
    });
    expect(await cut.droppedPackets()).toBeGreaterThan(0);
  }
  await fault.expectHomeAndClean();
  await fault.setMigrationPolicy("host-a", "");
});

test("[rows 19, 21] the data link is cut after the promise, the control link is fine: the destination says that it holds nothing, and the source goes on", async () => {
  await using halted = await haltAt(fault, "host-a", afterRecord("promise"));
  const { id, migration } = halted;
  {
    await using cut = await cutLink(fault, "data");
    await halted.goOn();
    expect(await migration.ended).toMatchObject({
      exitCode: 4,
      last: { type: "error", guest_state: "running-at-source" },
    });
    expect(await cut.droppedPackets()).toBeGreaterThan(0);
  }
  expect(await fault.expectSettled(id)).toBe("home");
});

test("[rows 21] both links are cut after the promise, before the stream is whole: stopped and in doubt until the destination is heard from", async () => {
  // Nobody can know that the destination does not run it, so it stands until the link is back.
  fault.allowFreeze(null);
  await using halted = await haltAt(fault, "host-a", afterRecord("promise"));
  const { id, migration } = halted;
  {
    await using _cut = await cutLink(fault, "both");
    await halted.goOn();
    expect(await migration.ended).toMatchObject({
      exitCode: 5,
      last: { type: "error", guest_state: "unknown" },
    });
    await expect
      .poll(() => fault.journaled("host-b", id), { timeout: leaseMs + 10_000, interval: 500 })
      .toContain("abort");
    expect(fault.qemuProcesses().map(({ node }) => node)).toEqual(["host-a"]);
  }
  await fault.answeredAgain(id);
  expect(await fault.expectSettled(id)).toBe("home");
});

test("[rows 21] both links are cut after the stream is whole: the destination runs it, the source stays stopped", async () => {
  await using halted = await haltAt(fault, "host-b", beforeRecord("takeover"));
  const { id, migration } = halted;
  {
    await using _cut = await cutLink(fault, "both");
    await halted.goOn();
    expect(await migration.ended).toMatchObject({ exitCode: 5, last: { guest_state: "unknown" } });
    expect(await fault.placeAt("host-b")).toEqual({ state: "running", host: "host-b" });
  }
  await fault.answeredAgain(id);
  expect(await fault.expectSettled(id)).toBe("away");
});

test("[rows 22] the way from the destination to the source is cut after the promise: nobody runs twice, nobody flaps", async () => {
  await using halted = await haltAt(fault, "host-a", afterContinue);
  const { id, migration } = halted;
  // Otherwise it is row 21: nobody could know where the guest is.
  await expect.poll(() => fault.journaled("host-b", id)).toContain("takeover");
  {
    await using cut = await cutLink(fault, "b to a");
    await halted.goOn();
    expect(await migration.ended).toMatchObject({ exitCode: 5, last: { type: "error" } });
    expect(await cut.droppedPackets()).toBeGreaterThan(0);
    expect(await fault.placeAt("host-b")).toEqual({ state: "running", host: "host-b" });
  }
  await fault.answeredAgain(id);
  expect(await fault.expectSettled(id)).toBe("away");
});
