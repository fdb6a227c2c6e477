import { expect, test } from "vitest";
import { MigrationBook } from "../../../src/migrator/migration-book.ts";
import type { MigrationQuery } from "../../../src/migrator/migration-query.ts";
import type { StoredMigration } from "../../../src/migrator/stored-migration.ts";
import { preconditionError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { memoryHistory } from "../../support/memory-history.ts";

const begun: StoredMigration = {
  ...{ id: "m1", guest: "web1", from: "host-a", to: "host-b", state: "planned" },
  ...{ startedMs: 1, endedMs: null, report: null, error: null },
  idempotency: { key: "k1", request: "[]" },
};
const ended: StoredMigration = { ...begun, state: "completed", endedMs: 2 };

function bookOnDisk() {
  const disk = { full: false, isOfLaterRelease: false };
  const history = memoryHistory();
  const put = (stored: StoredMigration) => {
    if (disk.full) throw new Error("disk full");
    if (disk.isOfLaterRelease) throw preconditionError("SOJ_DATABASE_NEWER", "of a later release");
    history.put(stored);
  };
  const book = new MigrationBook({ ...history, put }, createLogger("silent"));
  return { disk, history, book };
}

test("nothing is begun that cannot be written down", () => {
  const { disk, book } = bookOnDisk();
  disk.full = true;
  expect(() => book.begin(begun)).toThrow(
    expect.objectContaining({
      code: "SOJ_HISTORY_UNWRITABLE",
      exitCode: 3,
      guestState: "untouched",
    }),
  );
  expect(book.find("m1")).toBeUndefined();
  expect(book.list({ limit: 10 })).toEqual([]);
});

test("with a history of a later release migrations go on, and the newest are remembered in memory", () => {
  const { disk, book } = bookOnDisk();
  disk.isOfLaterRelease = true;
  book.begin(begun);
  expect(book.get("m1")).toEqual(begun);
  book.keep(ended);
  book.keep({ ...ended, id: "doubted", state: "in-doubt" });
  for (let number = 0; number < 1_000; number += 1) {
    book.keep({ ...ended, id: `later${number}`, startedMs: 10 + number });
  }
  expect(book.find("m1")).toBeUndefined();
  expect(book.list({ limit: 2_000 })).toHaveLength(1_001);
  expect(book.open().map(({ id }) => id)).toEqual(["doubted"]);
  expect(book.get("later999")).toMatchObject({ state: "completed" });
});

test("an end that finds no room is told all the same, and written once there is room", () => {
  const { disk, book, history } = bookOnDisk();
  book.begin(begun);
  book.note("m1", { state: "precopy" });
  expect(book.list({ limit: 10 })[0]?.state).toBe("precopy");
  expect(history.get("m1")?.state).toBe("planned");
  disk.full = true;
  book.keep(ended);
  expect(book.get("m1")).toEqual(ended);
  expect(book.list({ limit: 10 })).toEqual([ended]);
  expect(book.byKey("k1")).toEqual(ended);
  expect(book.open()).toEqual([]);
  disk.full = false;
  book.flush();
  expect(history.get("m1")).toEqual(ended);
});

test("those under way are listed with what is known now", () => {
  const { book } = bookOnDisk();
  book.begin(begun);
  book.keep({ ...ended, id: "m2", startedMs: 5 });
  book.keep({ ...ended, id: "m3", startedMs: 6 });
  book.note("m1", { state: "precopy" });
  const found = (query: MigrationQuery) => book.list(query).map(({ id }) => id);
  expect(found({ limit: 1 })).toEqual(["m3"]);
  expect(found({ limit: 9, states: ["precopy"] })).toEqual(["m1"]);
  expect(found({ limit: 9, states: ["planned"] })).toEqual([]);
  expect(found({ limit: 9, isOpen: true })).toEqual(["m1"]);
  expect(book.open().map(({ id }) => id)).toEqual(["m1"]);
});
