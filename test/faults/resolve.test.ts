import { afterAll, beforeAll, expect, test } from "vitest";
import { cutLink } from "./support/cut-links.ts";
import { FaultLab, guest, leaseMs } from "./support/fault-lab.ts";
import { afterRecord, PausePoint } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** An operator decides about a guest whose other host cannot be asked. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-resolve");
  await fault.openSession();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 21] both links are cut after the promise and an operator keeps the guest at the source: it goes on there, and the destination is told once it answers", async () => {
  fault.allowFreeze(null);
  await using point = await PausePoint.set(fault, "host-a", afterRecord("promise"));
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.phase("preparing");
  await point.reached;
  {
    await using _cut = await cutLink(fault, "both");
    await point[Symbol.asyncDispose]();
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
