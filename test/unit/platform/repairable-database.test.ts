import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDatabase } from "../../../src/platform/database.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { RepairableDatabase } from "../../../src/platform/repairable-database.ts";
import { temporaryFolder } from "../migrator/support.ts";

const logger = createLogger("silent");
const schema = { version: 1, tables: "CREATE TABLE notes (text TEXT) STRICT;" };
const databaseAt = (path: string, version = 1) =>
  new RepairableDatabase({ path, name: "notes", logger, schema: { ...schema, version } });
const add = (notes: RepairableDatabase, text: string) =>
  notes.use((database) => database.prepare("INSERT INTO notes VALUES (?)").run(text));
const count = (notes: RepairableDatabase) =>
  notes.use((database) => database.prepare("SELECT count(*) AS n FROM notes").get()?.n);

test("a file that is no database is put aside whole, and a new one begun", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "notes.sqlite");
  writeFileSync(path, "x".repeat(8192));
  const { size } = statSync(path);
  using notes = databaseAt(path);
  const opened: boolean[] = [];
  notes.onOpened = (_database, isReplacement) => opened.push(isReplacement);
  add(notes, "new");
  expect(count(notes)).toBe(1);
  expect(opened).toEqual([true]);
  const [aside = ""] = readdirSync(folder.path).filter((name) => name.includes("damaged"));
  expect(statSync(join(folder.path, aside)).size).toBe(size);
});

test("a file of a later release is refused, and left as it is", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "notes.sqlite");
  {
    using later = databaseAt(path, 2);
    add(later, "kept");
  }
  const bytes = readFileSync(path);
  using notes = databaseAt(path);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    expect(() => add(notes, "new")).toThrow(/written by a later release \(version 2, here 1\)/);
  }
  expect(readFileSync(path)).toEqual(bytes);
  expect(readdirSync(folder.path)).toEqual(["notes.sqlite"]);
  using later = databaseAt(path, 2);
  expect(count(later)).toBe(1);
});

test("one that another process uses, or that cannot be opened, is left as it is and tried again", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "notes.sqlite");
  using notes = databaseAt(path);
  {
    const other = openDatabase(path, schema);
    other.exec("INSERT INTO notes VALUES ('theirs')");
    expect(() => add(notes, "ours")).toThrow("locked");
    other.close();
  }
  add(notes, "ours");
  expect(count(notes)).toBe(2);
  const folderThere = join(folder.path, "folder.sqlite");
  mkdirSync(folderThere);
  using none = databaseAt(folderThere);
  expect(() => count(none)).toThrow("unable to open");
  expect(existsSync(folderThere)).toBe(true);
});

test("one that its owner could not look at is not used, and looked at again", () => {
  using folder = temporaryFolder();
  using notes = databaseAt(join(folder.path, "notes.sqlite"));
  let looks = 0;
  notes.onOpened = () => {
    looks += 1;
    if (looks === 1) throw new Error("disk I/O error");
  };
  expect(() => count(notes)).toThrow("disk I/O error");
  expect(count(notes)).toBe(0);
  expect(looks).toBe(2);
});
