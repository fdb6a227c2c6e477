import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { importHistoryFiles } from "../../../src/migrator/history-files.ts";
import { type MigrationQuery, select } from "../../../src/migrator/migration-query.ts";
import { phases } from "../../../src/migrator/phases.ts";
import { SqliteHistory } from "../../../src/migrator/sqlite-history.ts";
import type { MigrationSummary, StoredMigration } from "../../../src/migrator/stored-migration.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { diskStorage } from "../../../src/platform/storage.ts";
import { reportWith } from "../../support/fake-services.ts";
import { temporaryFolder } from "./support.ts";

let folder: { path: string } & Disposable;
const logger = createLogger("silent");

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const path = () => join(folder.path, "history.sqlite");
const open = (longest?: number) => new SqliteHistory(path(), logger, longest);

function migration(number: number, change: Partial<StoredMigration> = {}): StoredMigration {
  const place = { guest: "web1", from: "host-a", to: "host-b" };
  const end = { endedMs: number + 0.5, report: null, error: null, throughput: null };
  const common = { ...place, ...end, idempotency: null };
  return { id: `m${number}`, state: "completed", startedMs: number, ...common, ...change };
}

test("what is put is there after a restart, whole", () => {
  const throughput = { start_ms: -2_000, step_ms: 10, mbps: [1, 2] };
  const error = null;
  const idempotency = { key: "k1", request: "[1]" };
  const stored = migration(1, { report: reportWith({}), throughput, error, idempotency });
  {
    using history = open();
    history.put(migration(1, { state: "planned", endedMs: null }));
    history.put(stored);
  }
  using history = open();
  expect(history.get("m1")).toEqual(stored);
  expect(history.byKey("k1")).toEqual(stored);
  expect(history.get("m2")).toBeUndefined();
  expect(history.byKey("k2")).toBeUndefined();
});

test("the list is bounded; those that are open are found wherever they are", () => {
  using history = open();
  history.put(migration(1, { endedMs: null, state: "precopy" }));
  history.put(migration(2, { state: "in-doubt" }));
  for (let number = 3; number < 20; number += 1) history.put(migration(number));
  expect(history.list({ limit: 3 }).map(({ id }) => id)).toEqual(["m19", "m18", "m17"]);
  const opened = history.list({ limit: 3, isOpen: true });
  expect(opened.map(({ id }) => id)).toEqual(["m2", "m1"]);
  expect(history.open().map(({ id }) => id)).toEqual(["m1", "m2"]);
});

test("the database finds what the same query finds in memory, page by page", () => {
  using history = open();
  const all = Array.from({ length: 60 }, (_, number) =>
    migration(number, {
      startedMs: Math.floor(number / 3),
      guest: `web${number % 4}`,
      to: `host-${"abc"[number % 3]}`,
      state: phases[number % phases.length] ?? "planned",
      endedMs: number % 5 === 0 ? null : 100,
    }),
  );
  for (const one of all) history.put(one);
  const summaries = all.map(({ report, error, throughput, idempotency, ...summary }) => summary);
  const optional = <Value>(values: fc.Arbitrary<Value>) => fc.option(values, { nil: undefined });
  const queries = fc.record({
    guest: optional(fc.constantFrom("web0", "web1", "web9", "'; DROP TABLE migrations; --")),
    from: optional(fc.constantFrom("host-a", "host-z")),
    to: optional(fc.constantFrom("host-a", "host-b")),
    states: optional(fc.uniqueArray(fc.constantFrom(...phases), { minLength: 1, maxLength: 4 })),
    isOpen: optional(fc.boolean()),
    sinceMs: optional(fc.integer({ min: -1, max: 21 })),
    untilMs: optional(fc.integer({ min: -1, max: 21 })),
    limit: fc.integer({ min: 1, max: 70 }),
  });
  fc.assert(
    fc.property(queries, (drawn) => {
      const defined = Object.entries(drawn).filter(([, value]) => value !== undefined);
      let query = Object.fromEntries(defined) as unknown as MigrationQuery;
      const wanted = select(summaries, { ...query, limit: 1_000 });
      const pages: MigrationSummary[] = [];
      for (;;) {
        const page = history.list(query);
        expect(page).toEqual(select(summaries, query));
        const last = page.at(-1);
        if (last === undefined) break;
        pages.push(...page);
        query = { ...query, after: last };
      }
      expect(pages).toEqual(wanted);
    }),
    { numRuns: 200 },
  );
});

test("the oldest ended ones are forgotten, open ones never", () => {
  {
    using history = open();
    history.put(migration(0, { state: "in-doubt" }));
    for (let number = 1; number < 20; number += 1) history.put(migration(number));
  }
  using history = open(5);
  expect(history.list({ limit: 100 }).map(({ id }) => id)).toEqual([
    "m19",
    "m18",
    "m17",
    "m16",
    "m15",
    "m0",
  ]);
});

test.each([
  [
    "garbage",
    () => writeFileSync(path(), "this is no database, whatever its name says".repeat(99)),
  ],
  ["a page overwritten", () => damagePages(path())],
  ["a version that never was", () => setVersion(path(), -1)],
])("a damaged file (%s) is moved aside and a new one begun", (_what, damage) => {
  {
    using history = open();
    for (let number = 0; number < 200; number += 1) history.put(migration(number));
  }
  damage();
  using history = open();
  history.put(migration(7));
  expect(history.list({ limit: 1_000 }).map(({ id }) => id)).toEqual(["m7"]);
  const aside = readdirSync(folder.path).filter((name) => name.includes(".damaged-"));
  expect(aside.length).toBeGreaterThan(0);
});

test("one of a later release is left as it is, and is there again with that release", () => {
  {
    using history = open();
    history.put(migration(1));
  }
  setVersion(path(), 99);
  {
    using history = open();
    expect(history.list({ limit: 10 })).toEqual([]);
    expect(() => history.put(migration(2))).toThrow(
      expect.objectContaining({ code: "SOJ_DATABASE_NEWER", hint: expect.stringContaining("mv ") }),
    );
  }
  expect(readdirSync(folder.path).filter((name) => name.includes("damaged"))).toEqual([]);
  setVersion(path(), 1);
  using history = open();
  expect(history.list({ limit: 10 }).map(({ id }) => id)).toEqual(["m1"]);
});

test("a folder that cannot be written to loses nothing but the history", () => {
  using history = new SqliteHistory(join(folder.path, "missing", "history.sqlite"), logger);
  expect(history.list({ limit: 10 })).toEqual([]);
  expect(history.get("m1")).toBeUndefined();
  expect(() => history.put(migration(1))).toThrow(/unable to open/);
});

test("the JSON files of an earlier release are taken over once and removed; what is damaged stays", () => {
  using history = open();
  const files = join(folder.path, "migrations");
  diskStorage.makeFolder(files);
  const { idempotency: _none, throughput: _nothing, ...old } = migration(1);
  writeFileSync(join(files, "m1.json"), `${JSON.stringify(old)}\n`);
  writeFileSync(join(files, "m2.json"), '{"id": "m2", ');
  history.put(migration(3, { state: "rolled-back" }));
  writeFileSync(join(files, "m3.json"), JSON.stringify(migration(3)));
  importHistoryFiles(files, diskStorage, history, logger);
  expect(history.get("m1")).toEqual(migration(1));
  expect(history.get("m3")?.state).toBe("rolled-back");
  expect(readdirSync(files)).toEqual(["m2.json"]);
  expect(existsSync(files)).toBe(true);
});

function damagePages(file: string): void {
  const bytes = readFileSync(file);
  for (let page = 4096; page < bytes.length; page += 4096) bytes.fill(0xee, page, page + 512);
  writeFileSync(file, bytes);
}

function setVersion(file: string, version: number): void {
  const bytes = readFileSync(file);
  // "User version" in the database header (sqlite.org/fileformat2.html, 1.3).
  bytes.writeInt32BE(version, 60);
  writeFileSync(file, bytes);
}
