import { afterAll, beforeAll, expect, test } from "vitest";
import type { FaultLab } from "./support/fault-lab.ts";
import { expectWhole, following, postCopyLab } from "./support/following-memory.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Daemons that are killed while a guest's memory follows it; post-copy.long.test.ts has every step and the processes. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await postCopyLab(`postcopyfaults${process.pid}`);
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 53] the source's daemon is killed while memory follows: the rest comes, and the migration is completed", async () => {
  const id = await following(fault.migrate("host-a", "host-b"));
  await fault.kill("host-a");
  await fault.restart("host-a");
  await fault.recovered("host-a");
  expect(await fault.stateAt("host-a", id)).toBe("completed");
  expect(await fault.journaled("host-a", id)).toEqual(
    expect.arrayContaining(["post-copy", "promise", "taken-over-by-destination", "completed"]),
  );
  await expectWhole(fault);
  await fault.expectAway();
});

test("[rows 53] the destination's daemon is killed while memory follows: the rest comes, and the guest goes on there", async () => {
  const migration = fault.migrate("host-b", "host-a");
  await following(migration);
  await fault.kill("host-a");
  await fault.restart("host-a");
  expect(await migration.ended).toMatchObject({ exitCode: 0, last: { outcome: "completed" } });
  await expectWhole(fault);
  await fault.expectHomeAndClean();
});
