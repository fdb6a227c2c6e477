import { expect, test } from "vitest";
import { storedEvents } from "../../../src/daemon/stored-events.ts";
import type { StoredMigration } from "../../../src/migrator/stored-migration.ts";
import { reportWith } from "../../support/fake-services.ts";

const report = reportWith({
  timeline: [
    { phase: "preparing", at_ms: 1.5, host: "host-b" },
    { phase: "completed", at_ms: 9, host: "host-a" },
  ],
});
const stored: StoredMigration = {
  ...{ id: "m1", guest: "web1", from: "host-a", to: "host-b", state: "completed" },
  ...{ startedMs: 1_000, endedMs: 1_009, report, error: null },
};

test("the phases of a stored report and the result, each with an id to go on after", () => {
  const all = storedEvents(stored);
  expect(all.map(({ event }) => event)).toEqual([
    {
      type: "phase",
      id: "m1",
      phase: "preparing",
      host: "host-b",
      at_ms: 1.5,
      wall_clock_ms: 1_001.5,
    },
    { type: "phase", id: "m1", phase: "completed", host: "host-a", at_ms: 9, wall_clock_ms: 1_009 },
    report,
  ]);
  expect(storedEvents(stored, all[0]?.id ?? "")).toEqual(all.slice(1));
  expect(storedEvents(stored, all[2]?.id ?? "")).toEqual([]);
});

test("an id of another time is answered with a gap, then everything", () => {
  const all = storedEvents(stored);
  const [gap, ...rest] = storedEvents(stored, "0123abcd-7");
  expect(gap).toMatchObject({ id: null, event: { type: "gap", reason: "other-daemon" } });
  expect(rest).toEqual(all);
  const [, , result] = storedEvents({ ...stored, endedMs: 2_000 });
  expect(storedEvents(stored, result?.id ?? "")[0]?.id).toBeNull();
});

test("one that ended with an error, and one of which only the state is left", () => {
  const words = { type: "error" as const, code: "SOJ_X", message: "x", hint: null };
  const failed: StoredMigration = {
    ...stored,
    error: { ...words, retryable: false, guest_state: null, exit_code: 4 },
  };
  expect(storedEvents(failed).at(-1)?.event).toBe(failed.error);
  const [only] = storedEvents({ ...stored, report: null, state: "rolled-back" });
  expect(only?.event).toMatchObject({
    type: "error",
    code: "SOJ_NO_REPORT",
    exit_code: 4,
    id: "m1",
  });
});
