import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Journal } from "../../../src/migrator/journal.ts";
import { readTextJournal } from "../../../src/migrator/journal-file.ts";
import { decodeJournal, journalHeader } from "../../../src/migrator/journal-format.ts";
import { diskStorage } from "../../../src/platform/storage.ts";
import { promise, temporaryFolder } from "./support.ts";

const begin = { ...promise, step: "begin" } as const;

describe("the journal", () => {
  test("what was appended is known to this daemon and to the next one", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal");
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
    expect(reopened.opening).toEqual({ tornBytes: 0, damage: [], converted: false });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("the highest epoch of a guest is known, also to the next daemon", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal");
    {
      using journal = new Journal(path);
      journal.append(begin);
      journal.append({ ...begin, guest: "web2", epoch: 9 });
    }
    using reopened = new Journal(path);
    expect(reopened.highestEpoch("web1")).toBe(3);
    expect(reopened.highestEpoch("web3")).toBe(0);
  });

  test("a record is in the file, whole, when append returns", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal");
    using journal = new Journal(path);
    expect(readFileSync(path)).toEqual(journalHeader);
    journal.append(promise);
    expect(decodeJournal(readFileSync(path)).records).toMatchObject([promise]);
  });

  test("a torn last record is cut off and reported, and the next record is not glued to it", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal");
    {
      using journal = new Journal(path);
      journal.append(begin);
    }
    const whole = readFileSync(path).subarray(journalHeader.length);
    appendFileSync(path, whole.subarray(0, whole.length - 1));
    {
      using journal = new Journal(path);
      expect(journal.opening).toMatchObject({ tornBytes: whole.length - 1, damage: [] });
      journal.append({ ...promise, step: "undone" });
    }
    using journal = new Journal(path);
    expect(journal.opening.tornBytes).toBe(0);
    expect(journal.has("m1", "begin")).toBe(true);
    expect(journal.has("m1", "undone")).toBe(true);
    expect(journal.has("m1", "promise")).toBe(false);
  });

  test("a file that cannot be opened is refused", () => {
    using folder = temporaryFolder();
    expect(() => new Journal(join(folder.path, "missing", "journal"))).toThrow("ENOENT");
    expect(() => new Journal(folder.path)).toThrow();
  });

  test("a record that is too long is refused, and the journal stays as it is", () => {
    using folder = temporaryFolder();
    using journal = new Journal(join(folder.path, "journal"));
    const long = { ...begin, guest: "x".repeat(70_000) };
    expect(() => journal.append(long)).toThrow("too long");
    journal.append(promise);
    expect(decodeJournal(readFileSync(journal.path)).records).toMatchObject([promise]);
  });

  test("bytes of a failed write that could not be cut off at once are cut off before the next record", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal");
    let failing = false;
    const failure = () => {
      if (failing) throw new Error("EIO");
    };
    using journal = new Journal(path, {
      ...diskStorage,
      openForAppending: (file) => {
        const real = diskStorage.openForAppending(file);
        return {
          write: (bytes) => {
            real.write(failing ? bytes.subarray(0, 5) : bytes);
            failure();
          },
          sync: () => real.sync(),
          syncInBackground: () => real.syncInBackground(),
          truncate: (length) => {
            failure();
            real.truncate(length);
          },
          [Symbol.dispose]: () => real[Symbol.dispose](),
        };
      },
    });
    failing = true;
    expect(() => journal.append(begin)).toThrow("EIO");
    failing = false;
    journal.append(promise);
    expect(journal.has("m1", "begin")).toBe(false);
    const decoded = decodeJournal(readFileSync(path));
    expect(decoded).toMatchObject({ records: [promise], damage: [], tornBytes: 0 });
  });
});

describe("a damaged journal", () => {
  test("holds the guests of unfinished migrations, names the facts, and goes on for others", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal");
    {
      using journal = new Journal(path);
      journal.append({ ...begin, guest: "web3", migration: "m3" });
      journal.append(begin);
      journal.append(promise);
      journal.append({ ...begin, guest: "web2", migration: "m2" });
      journal.append({ ...promise, guest: "web2", migration: "m2", step: "completed" });
    }
    const bytes = readFileSync(path);
    bytes[journalHeader.length + 20] = 0;
    writeFileSync(path, bytes);
    {
      using journal = new Journal(path);
      expect(journal.opening.damage).toMatchObject([{ reason: "damaged-record", atByte: 8 }]);
      expect(journal.holdUnfinished(["web4"]).sort()).toEqual(["web1", "web4"]);
      expect(() => journal.refuseHeld("web1")).toThrow(/m1 epoch 3 source: promise/);
      expect(() => journal.refuseHeld("web4")).toThrow(/damaged at byte 8/);
      journal.refuseHeld("web2");
      journal.append({ ...begin, guest: "web2", migration: "m5" });
    }
    using journal = new Journal(path);
    expect(journal.has("m5", "begin")).toBe(true);
    expect(journal.has("m1", "promise")).toBe(true);
    expect(journal.opening.damage).toHaveLength(1);
  });

  test("of a version that is not known, or no journal at all, holds everybody and is not touched", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal");
    for (const content of ["SOJOURN\x02new records", "something else entirely"]) {
      writeFileSync(path, content);
      using journal = new Journal(path);
      journal.holdUnfinished([]);
      expect(() => journal.refuseHeld("web1")).toThrow(/SOJ_JOURNAL|not a journal|version/);
      expect(() => journal.append(begin)).toThrow(/nothing is decided about web1/);
      expect(readFileSync(path, "latin1")).toBe(content);
    }
  });
});

describe("the text journal of earlier releases", () => {
  const line = JSON.stringify({ ...promise, at: "2026-01-01T00:00:00.000Z" });

  test("is read once and rewritten; its torn last line is left out", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal");
    writeFileSync(`${path}.jsonl`, `${line}\n${line.slice(0, 30)}`);
    {
      using journal = new Journal(path);
      expect(journal.opening).toEqual({ tornBytes: 0, damage: [], converted: true });
      expect(journal.has("m1", "promise")).toBe(true);
      journal.append({ ...promise, step: "in-doubt" });
    }
    expect(existsSync(`${path}.jsonl`)).toBe(false);
    using journal = new Journal(path);
    expect(journal.has("m1", "promise")).toBe(true);
    expect(journal.has("m1", "in-doubt")).toBe(true);
    expect(journal.opening.converted).toBe(false);
  });

  test("with damage before the last line is refused, naming the line", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "journal");
    for (const damage of ["{", "", "null", "7", '{"step":"promise"}', line.slice(1)]) {
      writeFileSync(`${path}.jsonl`, `${line}\n${damage}\n${line}\n`);
      expect(() => new Journal(path), damage).toThrow("line 2");
    }
    expect(readTextJournal(`${line}\n${line}`)).toHaveLength(1);
  });
});
