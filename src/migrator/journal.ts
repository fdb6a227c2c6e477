import {
  closeSync,
  existsSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { preconditionError } from "../platform/errors.ts";
import { syncFolder } from "../platform/files.ts";

/** Steps whose record is durable before their effect (DESIGN 3). */
const steps = [
  "begin",
  "pausing",
  "promise",
  "taken-over-by-destination",
  "completed",
  "undone",
  "in-doubt",
  "prepared",
  "takeover",
  "abort",
  "finished",
] as const;

export type JournalStep = (typeof steps)[number];

const journalRecord = z.object({
  step: z.enum(steps),
  migration: z.string(),
  guest: z.string(),
  epoch: z.int().nonnegative(),
  role: z.enum(["source", "destination"]),
  /** Wall clock, informative. */
  at: z.string(),
});

export type JournalRecord = z.output<typeof journalRecord>;

/** This host's append-only journal: one JSON record a line, on disk before `append` returns. */
export class Journal implements Disposable {
  #file: number;
  #lengthBytes: number;
  readonly #records: JournalRecord[];

  /**
   * Opens or begins the journal; a last line that a crash has torn is cut off, so that nothing is glued to it.
   * @throws SojournError `SOJ_JOURNAL_DAMAGED`; the system's error when the file cannot be opened for appending.
   */
  constructor(path: string) {
    const isNew = !existsSync(path);
    const text = isNew ? "" : readFileSync(path, "utf8");
    this.#records = readRecords(text, path);
    this.#file = openSync(path, "a", 0o600);
    this.#lengthBytes = Buffer.byteLength(text.slice(0, text.lastIndexOf("\n") + 1));
    if (!text.endsWith("\n")) this.#cut();
    if (isNew) syncFolder(dirname(path));
  }

  /**
   * Writes and fdatasyncs; synchronous on purpose, the next line of the caller is the effect. When it throws,
   * nothing was recorded: a part that was written is cut off again.
   */
  append(record: Omit<JournalRecord, "at">): void {
    if (this.#file === -1) throw new Error("the journal is closed");
    const complete = { ...record, at: new Date().toISOString() };
    const line = Buffer.from(`${JSON.stringify(complete)}\n`);
    try {
      writeFileSync(this.#file, line);
      fdatasyncSync(this.#file);
    } catch (error) {
      this.#cut();
      throw error;
    }
    this.#lengthBytes += line.length;
    this.#records.push(complete);
  }

  /** True when this migration's step was recorded, by this or an earlier daemon. */
  has(migration: string, step: JournalStep): boolean {
    return this.#records.some((record) => record.migration === migration && record.step === step);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
    this.#file = -1;
  }

  /** Back to the end of the last whole record. */
  #cut(): void {
    ftruncateSync(this.#file, this.#lengthBytes);
    fdatasyncSync(this.#file);
  }
}

/**
 * Whole records of a journal's text; an unfinished last line is not one.
 * @throws SojournError `SOJ_JOURNAL_DAMAGED` naming the line: what it said about a guest is not known any more.
 */
export function readRecords(text: string, path = "journal"): JournalRecord[] {
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line, index) => {
    const record = journalRecord.safeParse(parseJson(line));
    if (record.success) return record.data;
    throw preconditionError("SOJ_JOURNAL_DAMAGED", `${path}: line ${index + 1} is not a record`, {
      hint: "guests go on as they are; find out which migration it was, and where its guest runs, before it is repaired",
    });
  });
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
