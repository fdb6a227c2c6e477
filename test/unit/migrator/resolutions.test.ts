import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Journal } from "../../../src/migrator/journal.ts";
import type { JournalStep } from "../../../src/migrator/journal-record.ts";
import { Migrations } from "../../../src/migrator/migrations.ts";
import { Resolutions } from "../../../src/migrator/resolutions.ts";
import type { SourceContext } from "../../../src/migrator/source-context.ts";
import type { StoredMigration } from "../../../src/migrator/stored-migration.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { memoryHistory } from "../../support/memory-history.ts";
import { hostA, temporaryFolder } from "./support.ts";

type Role = "source" | "destination";

/** Of a host without a record of it: only journal and history know it. */
const moved: StoredMigration = {
  ...{ id: "m1", guest: "web1", from: "host-a", to: "host-b", state: "completed" },
  ...{ startedMs: 1_000, endedMs: 3_000, report: null, error: null },
};

let folder: ReturnType<typeof temporaryFolder>;
let journal: Journal;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  journal[Symbol.dispose]();
  folder[Symbol.dispose]();
});

/** @param there run state at the other host; null when it does not answer. */
function host(
  role: Role,
  steps: JournalStep[],
  stored: StoredMigration,
  there: string | null,
  isHeld = false,
) {
  journal = new Journal(join(folder.path, "journal"));
  for (const step of steps)
    journal.append({ step, migration: "m1", guest: "web1", epoch: 1, role });
  if (isHeld) hold();
  const asked: string[] = [];
  const facts = { run_state: there, held: false, journal: [] };
  const context = {
    ...{ host: hostA, journal, logger: createLogger("silent"), records: { all: () => [] } },
    guests: { instance: () => ({ isAlive: () => true, runState: async () => "paused" }) },
    peer: (name: string) => {
      asked.push(name);
      return { call: async () => (there === null ? Promise.reject(new Error("cut off")) : facts) };
    },
  } as unknown as SourceContext;
  const history = memoryHistory();
  history.put(stored);
  const migrations = new Migrations(context, history, () => {});
  const parts = { destinations: {} as never, notices: {} as never };
  return { asked, migrations, resolutions: new Resolutions({ context, migrations, ...parts }) };
}

test.each([
  ["completed", /the migration is completed, and web1 went on at host-b: nothing/],
  ["rolled-back", /the migration is rolled-back, and web1 went on at host-a: nothing/],
  ["cancelled", /the migration is cancelled, and web1 went on at host-a: nothing/],
  ["guest-lost", /web1 was lost with it: nothing/],
] as const)(
  "one that is %s is not decided about: it is said where the guest went on",
  async (state, refusal) => {
    const { asked, resolutions } = host("source", ["begin", "undone"], { ...moved, state }, "none");
    for (const keep of ["source", "destination"] as const) {
      const resolution = await resolutions.describe("m1", keep);
      expect(resolution.refusal).toMatch(refusal);
      expect(resolution).toMatchObject({ steps: [], unreachable: null, there: { host: "host-b" } });
    }
    expect(asked).toEqual(["host-b", "host-b"]);
    await expect(resolutions.decide("m1", "source")).rejects.toThrow(refusal);
  },
);

/** The journal is damaged in its middle. */
function hold(): void {
  const path = join(folder.path, "journal");
  journal[Symbol.dispose]();
  const bytes = readFileSync(path);
  bytes.write("?", bytes.indexOf("web1"));
  writeFileSync(path, bytes);
  journal = new Journal(path);
  expect(journal.holdUnfinished([])).toEqual(["web1"]);
}

test("the other host of one that arrived here is where it came from", async () => {
  const stored = { ...moved, from: "host-b", to: "host-a" };
  const { resolutions } = host("destination", ["prepared", "finished"], stored, null);
  const { unreachable, refusal } = await resolutions.describe("m1", "destination");
  expect(unreachable).toContain("cut off");
  expect(refusal).toContain("went on at host-a");
});

test.each([
  ["running", "running-at-source"],
  [null, "unknown"],
])(
  "decided at the destination, the source's guest, %s, is not taken for the one here",
  async (there, guest_state) => {
    const error: StoredMigration["error"] = {
      ...{ type: "error", code: "SOJ_JOURNAL_DAMAGED", message: "damaged", hint: null, id: "m1" },
      ...{ guest_state: "unknown", exit_code: 5, retryable: false },
    };
    const stored: StoredMigration = {
      ...moved,
      ...{ from: "host-b", to: "host-a", state: "in-doubt", error },
    };
    const steps: JournalStep[] = ["prepared", "prepared"];
    const { migrations, resolutions } = host("destination", steps, stored, there, true);
    const { refusal } = await resolutions.describe("m1", "source");
    expect(refusal).toBeNull();
    await resolutions.decide("m1", "source");
    expect(migrations.get("m1")).toMatchObject({ state: "rolled-back", error: { guest_state } });
  },
);
