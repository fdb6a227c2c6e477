import { afterAll, beforeAll, expect, test } from "vitest";
import { blocksForTest } from "../support/doc-blocks.ts";
import { FaultLab } from "./support/fault-lab.ts";
import { killAt } from "./support/halted-migration.ts";
import { afterRecord, beforeRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** An operator decides about guests for which nothing is decided any more by itself. */
let fault: FaultLab;

const journal = "/var/lib/sojourn/journal";

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-resolve");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 4, 49] the source is gone after the takeover: at the destination an operator ends the waiting", async () => {
  const { id } = await killAt(fault, "host-a", beforeRecord("taken-over-by-destination"));
  expect((await fault.resolve("host-b", id, "source")).exitCode).toBe(3);
  expect((await fault.resolve("host-b", id, "destination")).exitCode).toBe(0);
  expect(await fault.journaled("host-b", id)).toEqual(
    expect.arrayContaining(["takeover", "resolved-destination", "finished"]),
  );
  await fault.restart("host-a");
  expect(await fault.expectSettled(id)).toBe("away");
});

test("[rows 9] a damaged journal holds a guest that it had stopped, until an operator decides", async () => {
  fault.allowFreeze(null);
  const { id } = await killAt(fault, "host-a", afterRecord("pausing"));
  await fault.run("host-a", [
    "sh",
    "-c",
    `printf X | dd of=${journal} bs=1 seek=20 conv=notrunc status=none`,
  ]);
  await fault.restart("host-a");
  expect(await fault.stateAt("host-a", id)).toBe("in-doubt");
  expect((await fault.resolve("host-a", id, "destination")).exitCode).toBe(3);
  for (const { text } of blocksForTest("test/faults/resolve.test.ts")) {
    expect(await fault.run("host-a", ["sh", "-euc", text])).toContain("kept at the source");
  }
  await fault.restart("host-a");
  expect(await fault.stateAt("host-a", id)).toBe("rolled-back");
  expect(await fault.expectSettled(id)).toBe("home");
});
