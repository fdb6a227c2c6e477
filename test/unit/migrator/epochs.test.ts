import { expect, test } from "vitest";
import { checkEpoch } from "../../../src/migrator/epochs.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { recordOf } from "./support.ts";

const record: GuestRecord = {
  ...recordOf("web1", 10),
  epoch: 5,
  migration: {
    id: "m5",
    epoch: 5,
    role: "destination",
    peer: "host-a",
    resume: true,
  },
};
const message = { id: "m5", guest: "web1", epoch: 5 };

test("the migration under way is let through", () => {
  expect(() => checkEpoch(record, message, "destination")).not.toThrow();
});

test.each([
  ["an older epoch", record, { ...message, epoch: 4 }, "destination"],
  ["a later epoch", record, { ...message, epoch: 6 }, "destination"],
  ["another migration", record, { ...message, id: "m4" }, "destination"],
  ["the wrong side", record, message, "source"],
  ["a migration that is over", { ...record, migration: null }, message, "destination"],
  ["an unknown guest", undefined, message, "destination"],
] as const)("%s is refused", (_what, known, sent, role) => {
  expect(() => checkEpoch(known, sent, role)).toThrow(
    expect.objectContaining({ code: "SOJ_STALE_EPOCH", exitCode: 3 }),
  );
});
