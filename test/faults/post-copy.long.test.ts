import { afterAll, beforeAll, expect, test } from "vitest";
import { cutLink } from "./support/cut-links.ts";
import type { FaultLab } from "./support/fault-lab.ts";
import { expectWhole, following, postCopyLab } from "./support/following-memory.ts";
import { killAt } from "./support/halted-migration.ts";
import { afterRecord, beforeRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Post-copy: daemons killed at every record, processes that end while memory follows, links that are cut for long. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await postCopyLab(`postcopylong${process.pid}`);
});

afterAll(() => fault?.[Symbol.asyncDispose]());

const steps = [
  ["host-a", beforeRecord("post-copy"), ["host-a"]],
  ["host-a", afterRecord("post-copy"), ["host-a"]],
  ["host-a", afterRecord("promise"), ["host-a"]],
  ["host-a", afterRecord("promise"), ["host-a", "host-b"]],
  ["host-b", beforeRecord("takeover"), ["host-b"]],
  ["host-b", afterRecord("takeover"), ["host-b"]],
  ["host-b", afterRecord("takeover"), ["host-a", "host-b"]],
  ["host-a", afterRecord("taken-over-by-destination"), ["host-a"]],
] as const;

test.for(steps)("[rows 53] daemons are killed: %j", async ([stands, at, dying]) => {
  fault.allowFreeze(30_000);
  const { id } = await killAt(fault, stands, at, dying);
  for (const host of dying) await fault.restart(host);
  await fault.expectSettled(id);
  await expectWhole(fault);
});

test("[rows 53] both links are cut for half a minute while memory follows: it waits, and goes on", async () => {
  fault.allowFreeze(null);
  const migration = fault.migrate("host-a", "host-b");
  await following(migration);
  {
    await using _cut = await cutLink(fault, "both");
    await new Promise((resolve) => setTimeout(resolve, 30_000));
  }
  const { exitCode, last } = await migration.ended;
  expect({ exitCode, last }).toMatchObject({ exitCode: 0, last: { outcome: "completed" } });
  await expectWhole(fault);
  await fault.expectAway();
  await fault.returnHome();
});

test("[rows 53] the source's process is killed while memory follows: the guest is lost, said so, and runs nowhere", async () => {
  fault.allowFreeze(null);
  const migration = fault.migrate("host-a", "host-b");
  await following(migration);
  await fault.end(fault.qemuOn("host-a"));
  expect(await migration.ended).toMatchObject({
    exitCode: 9,
    last: { type: "error", code: "SOJ_POST_COPY_LOST", guest_state: "lost" },
  });
  expect(fault.qemuProcesses()).toEqual([]);
  // Its home believes that it has ended there once the migration is over here, and is asked again until then.
  await expect.poll(() => fault.placeAt("host-b"), { timeout: 60_000 }).toBeNull();
  await fault.run("host-a", ["sojourn", "guest", "start", "web1"]);
  await fault.openSession(60_000);
});
