import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Journal } from "../../../src/migrator/journal.ts";
import { Migrations } from "../../../src/migrator/migrations.ts";
import { Resolutions } from "../../../src/migrator/resolutions.ts";
import type { SourceContext } from "../../../src/migrator/source-context.ts";
import type {
  MigrationSummary,
  StoredMigration,
  StreamEvent,
} from "../../../src/migrator/stored-migration.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { memoryHistory } from "../../support/memory-history.ts";
import { hostA, temporaryFolder } from "./support.ts";

/** In doubt because of a damaged journal, with no record of it left: the guest is only held. */
const doubted: StoredMigration = {
  ...{ id: "m1", guest: "web1", from: "host-a", to: "host-b", state: "in-doubt" },
  ...{ startedMs: 1_000, endedMs: 3_000, report: null },
  error: {
    ...{ type: "error", code: "SOJ_JOURNAL_DAMAGED", message: "damaged", hint: null, id: "m1" },
    ...{ guest_state: "unknown", exit_code: 5, retryable: false },
  },
};

let folder: ReturnType<typeof temporaryFolder>;
let journal: Journal;

beforeEach(() => {
  folder = temporaryFolder();
  const path = join(folder.path, "journal");
  {
    using earlier = new Journal(path);
    const about = { migration: "m1", guest: "web1", epoch: 1, role: "source" } as const;
    earlier.append({ ...about, migration: "m0", guest: "lost-one", step: "begin" });
    earlier.append({ ...about, step: "begin" });
    earlier.append({ ...about, step: "promise" });
  }
  const bytes = readFileSync(path);
  bytes.write("?", bytes.indexOf("lost-one"));
  writeFileSync(path, bytes);
  journal = new Journal(path);
  expect(journal.holdUnfinished([])).toEqual(["web1"]);
});
afterEach(() => {
  journal[Symbol.dispose]();
  folder[Symbol.dispose]();
});

function host(runState: string | null, stored: StoredMigration = doubted) {
  const told: [MigrationSummary, StreamEvent][] = [];
  const instance = { isAlive: () => true, runState: async () => runState };
  const context = {
    ...{ host: hostA, journal, logger: createLogger("silent"), records: { all: () => [] } },
    guests: { instance: () => (runState === null ? undefined : instance) },
    peer: () => ({ call: () => Promise.reject(new Error("no answer")) }),
  } as unknown as SourceContext;
  const history = memoryHistory();
  history.put(stored);
  const migrations = new Migrations(context, history, (migration, event) =>
    told.push([migration, event]),
  );
  const parts = { destinations: {} as never, notices: {} as never };
  return { migrations, told, resolutions: new Resolutions({ context, migrations, ...parts }) };
}

test("kept at the destination, its end is a report, which is told", async () => {
  const { migrations, told, resolutions } = host(null);
  await resolutions.decide("m1", "destination");
  expect(told).toHaveLength(1);
  const [[summary, event] = []] = told;
  expect(summary).toMatchObject({ id: "m1", state: "completed", endedMs: expect.any(Number) });
  expect(event).toMatchObject({
    ...{ type: "report", outcome: "completed", resolved: "destination", blackout_ms: null },
    ...{ guest: "web1", from: "host-a", to: "host-b", timeline: [] },
  });
  expect(migrations.get("m1")).toMatchObject({ state: "completed", error: null, report: event });
  // Whoever asks later, as a host that asked for it does, is told the same.
  expect(migrations.events("m1").events).toEqual([event]);
  expect(journal.isHeld("web1")).toBe(false);
});

test.each([
  ["running", "running-at-source"],
  ["paused", "paused-at-source"],
  [null, "unknown"],
])(
  "kept at the source, where it is %s, its end is an error that says so",
  async (runState, guest_state) => {
    const { migrations, told, resolutions } = host(runState);
    await resolutions.decide("m1", "source");
    expect(told.map(([{ state }, event]) => [state, event])).toEqual([
      [
        "rolled-back",
        expect.objectContaining({
          ...{ type: "error", code: "SOJ_RESOLVED_SOURCE", exit_code: 4, id: "m1", guest_state },
        }),
      ],
    ]);
    expect(migrations.get("m1")).toMatchObject({
      state: "rolled-back",
      report: { outcome: "rolled-back", resolved: "source" },
    });
  },
);

test("what was measured before stays in its report", async () => {
  const { migrations: unmeasured, resolutions: first } = host(null);
  await first.decide("m1", "destination");
  const { report } = unmeasured.get("m1");
  if (report === null) throw new Error("no report");
  const earlier = { ...report, outcome: "in-doubt" as const, total_ms: 7, transferred_bytes: 9 };
  const { migrations } = host(null, { ...doubted, report: earlier });
  migrations.conclude("m1", "destination", "none");
  expect(migrations.get("m1").report).toMatchObject({
    ...{ outcome: "completed", total_ms: 7, transferred_bytes: 9, resolved: "destination" },
  });
});

test("one that is not in doubt is not ended a second time", () => {
  const { migrations, told } = host(null, { ...doubted, state: "completed", error: null });
  migrations.conclude("m1", "source", "none");
  expect(told).toEqual([]);
  expect(migrations.get("m1").state).toBe("completed");
});
