import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { syncFolder } from "../platform/files.ts";

/** Steps whose record is durable before their effect (DESIGN 3). */
export type JournalStep =
  | "begin"
  | "pausing"
  | "promise"
  | "taken-over-by-destination"
  | "completed"
  | "undone"
  | "in-doubt"
  | "prepared"
  | "takeover"
  | "abort"
  | "finished";

export interface JournalRecord {
  step: JournalStep;
  migration: string;
  guest: string;
  epoch: number;
  role: "source" | "destination";
  /** Wall clock, informative. */
  at: string;
}

/** This host's append-only journal: one JSON record a line, on disk before `append` returns. */
export class Journal implements Disposable {
  readonly #file: number;
  readonly #records: JournalRecord[];

  /** @throws when the file cannot be opened for appending (the daemon then refuses to start). */
  constructor(path: string) {
    const isNew = !existsSync(path);
    this.#records = isNew ? [] : readRecords(readFileSync(path, "utf8"));
    this.#file = openSync(path, "a", 0o600);
    if (isNew) syncFolder(dirname(path));
  }

  /** Writes and fdatasyncs; synchronous on purpose, the next line of the caller is the effect. */
  append(record: Omit<JournalRecord, "at">): void {
    const complete = { ...record, at: new Date().toISOString() };
    writeSync(this.#file, `${JSON.stringify(complete)}\n`);
    fdatasyncSync(this.#file);
    this.#records.push(complete);
  }

  /** True when this migration's step was recorded, by this or an earlier daemon. */
  has(migration: string, step: JournalStep): boolean {
    return this.#records.some((record) => record.migration === migration && record.step === step);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

/** Whole records of a journal's text; an unfinished last line (torn by a crash) is not one. */
export function readRecords(text: string): JournalRecord[] {
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as JournalRecord;
    } catch (error) {
      throw new Error(`journal line ${index + 1} is damaged`, { cause: error });
    }
  });
}
