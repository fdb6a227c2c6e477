import { join } from "node:path";
import { preconditionError } from "../platform/errors.ts";
import { diskStorage, type Storage } from "../platform/storage.ts";
import { type GuestRecord, guestRecordSchema } from "./records.ts";

/** What a guest's record was and is. */
export type RecordListener = (
  before: GuestRecord | undefined,
  after: GuestRecord | undefined,
) => void;

/** The guest records of this host, each a file that is replaced durably on every change. */
export class RecordStore {
  readonly #folder: string;
  readonly #storage: Storage;
  readonly #records = new Map<string, GuestRecord>();
  readonly #listeners = new Set<RecordListener>();

  /** @throws SojournError `SOJ_RECORD_DAMAGED`: guessing about a guest's place is not allowed. */
  constructor(folder: string, storage: Storage = diskStorage) {
    storage.makeFolder(folder);
    this.#folder = folder;
    this.#storage = storage;
    for (const name of storage.list(folder).filter((file) => file.endsWith(".json"))) {
      const record = readRecord(storage, join(folder, name));
      this.#records.set(record.guest, record);
    }
  }

  all(): GuestRecord[] {
    return [...this.#records.values()];
  }

  get(guest: string): GuestRecord | undefined {
    return this.#records.get(guest);
  }

  /** Calls `listener` after every change, also while a guest stands: it must be quick and never throw. */
  subscribe(listener: RecordListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Durable when it returns. */
  put(record: GuestRecord): void {
    this.#storage.replace(this.#path(record.guest), `${JSON.stringify(record, null, 2)}\n`);
    this.#replace(record.guest, record);
  }

  /** Changes the record in memory only: for the switchover, where the journal's promise already stands for it. */
  putVolatile(record: GuestRecord): void {
    this.#replace(record.guest, record);
  }

  remove(guest: string): void {
    this.#storage.remove(this.#path(guest));
    this.#replace(guest, undefined);
  }

  #replace(guest: string, record: GuestRecord | undefined): void {
    const before = this.#records.get(guest);
    if (record === undefined) this.#records.delete(guest);
    else this.#records.set(guest, record);
    for (const listener of this.#listeners) listener(before, record);
  }

  #path(guest: string): string {
    return join(this.#folder, `${guest}.json`);
  }
}

function readRecord(storage: Storage, path: string): GuestRecord {
  try {
    return guestRecordSchema.parse(JSON.parse(String(storage.read(path))));
  } catch (cause) {
    throw preconditionError("SOJ_RECORD_DAMAGED", `${path} does not say where its guest is`, {
      cause,
      hint: "guests go on as they are; repair the file, or remove it once the guest runs nowhere",
    });
  }
}
