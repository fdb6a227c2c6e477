import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Journal, type JournalRecord, readRecords } from "../../../src/migrator/journal.ts";
import { temporaryFolder } from "./support.ts";

const promise = {
  step: "promise",
  migration: "m1",
  guest: "web1",
  epoch: 3,
  role: "source",
} as const;

describe("the journal", () => {
  test("what was appended is known to this daemon and to the next one", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal.jsonl");
    {
      using journal = new Journal(path);
      expect(journal.has("m1", "promise")).toBe(false);
      journal.append(promise);
      expect(journal.has("m1", "promise")).toBe(true);
    }
    using reopened = new Journal(path);
    expect(reopened.has("m1", "promise")).toBe(true);
    expect(reopened.has("m1", "takeover")).toBe(false);
    expect(reopened.has("m2", "promise")).toBe(false);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("a record is in the file, whole, when append returns", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal.jsonl");
    using journal = new Journal(path);
    journal.append(promise);
    const text = readFileSync(path, "utf8");
    expect(text.endsWith("\n")).toBe(true);
    expect(JSON.parse(text)).toMatchObject(promise);
  });

  test("a torn last line is not a record, and the next record is not glued to it", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal.jsonl");
    {
      using journal = new Journal(path);
      journal.append({ ...promise, step: "begin" });
    }
    appendFileSync(path, '{"step":"promise","migration":"m1"');
    {
      using journal = new Journal(path);
      expect(journal.has("m1", "promise")).toBe(false);
      journal.append({ ...promise, step: "undone" });
    }
    using journal = new Journal(path);
    expect(journal.has("m1", "begin")).toBe(true);
    expect(journal.has("m1", "undone")).toBe(true);
    expect(journal.has("m1", "promise")).toBe(false);
  });

  test("damage before the last line is refused, naming the line", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal.jsonl");
    const whole = JSON.stringify({ ...promise, at: "2026-01-01T00:00:00.000Z" });
    for (const damage of ["{", "", "null", "7", '{"step":"promise"}', whole.slice(1)]) {
      writeFileSync(path, `${whole}\n${damage}\n${whole}\n`);
      expect(() => new Journal(path), damage).toThrow("line 2");
    }
  });

  test("a file that cannot be opened is refused", () => {
    using folder = temporaryFolder();
    expect(() => new Journal(join(folder.path, "missing", "journal.jsonl"))).toThrow("ENOENT");
    expect(() => new Journal(folder.path)).toThrow();
  });
});

describe("reading", () => {
  const record: fc.Arbitrary<JournalRecord> = fc.record({
    step: fc.constantFrom("begin", "promise", "takeover", "abort"),
    migration: fc.string(),
    guest: fc.string(),
    epoch: fc.nat(),
    role: fc.constantFrom("source", "destination"),
    at: fc.string(),
  });

  test("any prefix of the bytes gives the records whose lines are whole", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 6 }), fc.nat(), (records, cut) => {
        const lines = records.map((one) => `${JSON.stringify(one)}\n`);
        const text = lines.join("");
        const prefix = text.slice(0, cut % (text.length + 1));
        const whole = prefix.split("\n").length - 1;
        expect(readRecords(prefix)).toEqual(records.slice(0, whole));
      }),
    );
  });
});
