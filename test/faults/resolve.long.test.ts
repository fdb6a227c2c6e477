import { afterAll, beforeAll, expect, test } from "vitest";
import { type CutLink, cutLink } from "./support/cut-links.ts";
import { FaultLab, guest, leaseMs } from "./support/fault-lab.ts";
import { haltAt } from "./support/halted-migration.ts";
import { afterRecord, beforeRecord, PausePoint } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** An operator decides about guests whose other host cannot be asked, rightly and wrongly, and daemons die meanwhile. */
let fault: FaultLab;

const told = { timeout: 90_000, interval: 500 };

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-resolves");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 21] both links are cut after the promise and an operator keeps the guest at the source: it goes on there, and the destination is told once it answers", async () => {
  fault.allowFreeze(null);
  await using halted = await haltAt(fault, "host-a", afterRecord("promise"));
  const { id, migration } = halted;
  {
    await using _cut = await cutLink(fault, "both");
    await halted.goOn();
    expect(await migration.ended).toMatchObject({ exitCode: 5, last: { guest_state: "unknown" } });
    expect(await fault.placeAt("host-a")).toEqual({ state: "paused", host: "host-a" });
    expect(await fault.migrate("host-a", "host-b").ended).toMatchObject({
      exitCode: 3,
      last: { code: "SOJ_GUEST_BUSY", id, message: `${guest} is in doubt (${id})` },
    });
    const unconfirmed = ["sojourn", "resolve", id, "--keep", "source", "--json"];
    expect((await fault.exec("host-a", unconfirmed)).exitCode).toBe(2);
    const dryRun = await fault.run("host-a", [...unconfirmed, "--dry-run"]);
    expect(JSON.parse(dryRun)).toMatchObject({ refusal: null, there: null });
    expect(await fault.journaled("host-a", id)).not.toContain("resolved-source");
    expect(await fault.resolve("host-a", id, "source")).toMatchObject({
      exitCode: 0,
      last: { confirmed: true, status: { state: "rolled-back" } },
    });
    expect(await fault.placeAt("host-a")).toEqual({ state: "running", host: "host-a" });
    await fault.expectSessionAlive();
  }
  await expect
    .poll(() => fault.journaled("host-a", id), { timeout: leaseMs + 40_000, interval: 500 })
    .toEqual(expect.arrayContaining(["resolved-source", "undone", "destination-told"]));
  expect(await fault.journaled("host-b", id)).toContain("abort");
  await fault.expectHomeAndClean();
});

test("[rows 21] the guest is left to the destination, which runs it and does not answer: it is told later", async () => {
  const { id, cut } = await inDoubt("taken-over");
  expect(await fault.resolve("host-a", id, "destination")).toMatchObject({
    exitCode: 0,
    last: { status: { state: "completed" } },
  });
  expect(fault.qemuProcesses().map(({ node }) => node)).toEqual(["host-b"]);
  await cut[Symbol.asyncDispose]();
  await expect.poll(() => fault.journaled("host-a", id), told).toContain("destination-told");
  await fault.expectAway();
  await fault.returnHome();
});

test("[rows 21, 24] the guest is kept at the source though the destination runs it: that copy ends once it is heard from, with an alarm", async () => {
  const { id, cut } = await inDoubt("taken-over");
  expect((await fault.resolve("host-a", id, "source")).exitCode).toBe(0);
  expect(await fault.placeAt("host-a")).toEqual({ state: "running", host: "host-a" });
  await cut[Symbol.asyncDispose]();
  await expect.poll(() => fault.journaled("host-a", id), told).toContain("destination-told");
  expect(await fault.journaled("host-b", id)).toContain("superseded");
  expect(fault.lab.log("host-a")).toContain("alarm: the guest ran at the destination too");
  await fault.expectHomeAndClean();
});

test.each(["source", "destination"] as const)(
  "[rows 4, 21] the source's daemon dies right after the operator's decision for the %s is written: the next one carries it out",
  async (keep) => {
    const { id, cut } = await inDoubt(keep === "source" ? "incoming" : "taken-over");
    await using point = await PausePoint.set(fault, "host-a", afterRecord(`resolved-${keep}`));
    const deciding = fault.resolve("host-a", id, keep).catch(() => null);
    await point.reached;
    await fault.kill("host-a");
    await point[Symbol.asyncDispose]();
    await deciding;
    await fault.restart("host-a");
    const state = keep === "source" ? "rolled-back" : "completed";
    await expect.poll(() => fault.stateAt("host-a", id), { timeout: 30_000 }).toBe(state);
    expect(fault.qemuProcesses().map(({ node }) => node)).toContain(
      keep === "source" ? "host-a" : "host-b",
    );
    await cut[Symbol.asyncDispose]();
    await expect.poll(() => fault.journaled("host-a", id), told).toContain("destination-told");
    if (keep === "source") {
      await fault.expectHomeAndClean();
      return;
    }
    await fault.expectAway();
    await fault.returnHome();
  },
);

test("[rows 6, 21] the destination's daemon dies right after it has written that its copy is superseded: the next one ends it", async () => {
  const { id, cut } = await inDoubt("taken-over");
  expect((await fault.resolve("host-a", id, "source")).exitCode).toBe(0);
  await using point = await PausePoint.set(fault, "host-b", afterRecord("superseded"));
  await cut[Symbol.asyncDispose]();
  await point.reached;
  await fault.kill("host-b");
  await point[Symbol.asyncDispose]();
  await fault.restart("host-b");
  await expect.poll(() => fault.journaled("host-a", id), told).toContain("destination-told");
  await fault.expectHomeAndClean();
});

test("[rows 21] the destination answers again and has taken over: the operator is not allowed to contradict", async () => {
  const { id, cut } = await inDoubt("taken-over");
  await cut[Symbol.asyncDispose]();
  expect(await fault.resolve("host-a", id, "source")).toMatchObject({
    exitCode: 3,
    last: { type: "error", code: "SOJ_RESOLVE_REFUSED" },
  });
  await fault.answeredAgain(id);
  expect(await fault.expectSettled(id)).toBe("away");
});

/** A migration whose hosts cannot reach each other any more after the promise, or after the takeover. */
async function inDoubt(stage: "incoming" | "taken-over"): Promise<{ id: string; cut: CutLink }> {
  fault.allowFreeze(null);
  const place =
    stage === "incoming" ? (["host-a", "promise"] as const) : (["host-b", "takeover"] as const);
  const [host, step] = place;
  const at = stage === "incoming" ? afterRecord(step) : beforeRecord(step);
  await using halted = await haltAt(fault, host, at);
  const { id, migration } = halted;
  const cut = await cutLink(fault, "both");
  await halted.goOn();
  expect(await migration.ended).toMatchObject({
    exitCode: 5,
    last: { guest_state: "unknown", id },
  });
  return { id, cut };
}
