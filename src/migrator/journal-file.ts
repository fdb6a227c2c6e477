import { preconditionError } from "../platform/errors.ts";
import type { AppendableFile, Storage } from "../platform/storage.ts";
import {
  type DecodedJournal,
  decodeJournal,
  encodeRecord,
  type JournalDamage,
  journalHeader,
} from "./journal-format.ts";
import { type JournalRecord, parseRecord } from "./journal-record.ts";

/** What was found when a journal was opened. */
export interface JournalOpening {
  records: JournalRecord[];
  /** Bytes of a record that a crash had torn; they were cut off. */
  tornBytes: number;
  damage: JournalDamage[];
  /** It was a text file of an earlier release, and was rewritten. */
  converted: boolean;
}

/** The file of a journal: whole records only, each on disk when `append` returns. */
export class JournalFile implements Disposable {
  readonly opening: JournalOpening;
  readonly #file: AppendableFile;
  #lengthBytes: number;
  /** Bytes of a failed write may still be in the file. */
  #untidy = false;
  #closed = false;

  /** @throws the system's error when the file cannot be opened for appending; see `readTextJournal`. */
  constructor(path: string, storage: Storage) {
    const converted = convertTextJournal(path, storage);
    const bytes = storage.read(path) ?? Buffer.alloc(0);
    const { records, damage, keptBytes, tornBytes } = decodeJournal(bytes);
    this.opening = { records, damage, tornBytes, converted };
    this.#file = storage.openForAppending(path);
    this.#lengthBytes = keptBytes;
    if (tornBytes > 0) this.#cut();
    if (keptBytes === 0) this.append(journalHeader);
  }

  /** When it throws, nothing was recorded: a part that was written is cut off again. */
  append(bytes: Uint8Array): void {
    this.#orCut(() => {
      this.#file.write(bytes);
      this.#file.sync();
    });
    this.#lengthBytes += bytes.length;
  }

  /** The same while the process goes on. Cut off when it throws unless others have added to the file meanwhile. */
  async appendInBackground(bytes: Uint8Array): Promise<void> {
    this.#orCut(() => this.#file.write(bytes));
    this.#lengthBytes += bytes.length;
    const endByte = this.#lengthBytes;
    try {
      await this.#file.syncInBackground();
    } catch (error) {
      if (this.#lengthBytes === endByte) {
        this.#lengthBytes -= bytes.length;
        this.#untidy = true;
      }
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#file[Symbol.dispose]();
  }

  /** Writes behind the last whole record; a part that was written before `write` throws is cut off again. */
  #orCut(write: () => void): void {
    if (this.#closed) throw new Error("the journal is closed");
    if (this.#untidy) this.#cut();
    try {
      write();
    } catch (error) {
      this.#untidy = true;
      this.#cut();
      throw error;
    }
  }

  /** Back to the end of the last whole record. */
  #cut(): void {
    this.#file.truncate(this.#lengthBytes);
    this.#file.sync();
    this.#untidy = false;
  }
}

/**
 * Reads a journal without changing it, of either form.
 * @throws SojournError `SOJ_JOURNAL_MISSING`; see `readTextJournal`.
 */
export function readJournal(path: string, storage: Storage): DecodedJournal {
  const bytes = storage.read(path);
  if (bytes !== null && !isText(bytes)) return decodeJournal(bytes);
  const text = bytes ?? storage.read(textPath(path));
  if (text !== null) {
    const records = readTextJournal(text.toString(), path);
    return { records, keptBytes: text.length, tornBytes: 0, damage: [] };
  }
  throw preconditionError("SOJ_JOURNAL_MISSING", `there is no journal ${path}`, {
    httpStatus: 404,
    hint: "name another with --file; a daemon makes it when it starts",
  });
}

/**
 * Whole records of the text form of earlier releases, one JSON object a line; an unfinished last line is not one.
 * @throws SojournError `SOJ_JOURNAL_DAMAGED` naming the line.
 */
export function readTextJournal(text: string, path = "journal"): JournalRecord[] {
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line, index) => {
    const record = parseRecord(line);
    if (record !== null) return record;
    throw preconditionError("SOJ_JOURNAL_DAMAGED", `${path}: line ${index + 1} is not a record`, {
      hint: "guests go on as they are; find out which migration it was, and where its guest runs, before it is repaired",
    });
  });
}

/** Rewrites the text journal of an earlier release, once; a crash in between leaves either or both whole. */
function convertTextJournal(path: string, storage: Storage): boolean {
  const text = storage.read(textPath(path));
  if (text === null) return false;
  const records = readTextJournal(text.toString(), textPath(path));
  if (storage.read(path) === null) {
    storage.replace(path, Buffer.concat([journalHeader, ...records.map(encodeRecord)]));
  }
  storage.remove(textPath(path));
  return true;
}

function textPath(path: string): string {
  return `${path}.jsonl`;
}

function isText(bytes: Buffer): boolean {
  return bytes[0] === "{".charCodeAt(0);
}
