import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { replaceFileDurably, syncFolder } from "../platform/files.ts";
import { type GuestRecord, guestRecordSchema } from "./records.ts";

/** The guest records of this host, each a file that is replaced durably on every change. */
export class RecordStore {
  readonly #folder: string;
  readonly #records = new Map<string, GuestRecord>();

  /** @throws when a record file is damaged: guessing about a guest's place is not allowed. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    for (const name of readdirSync(folder).filter((file) => file.endsWith(".json"))) {
      const parsed = guestRecordSchema.safeParse(
        JSON.parse(readFileSync(join(folder, name), "utf8")),
      );
      if (!parsed.success) throw new Error(`${join(folder, name)}: ${parsed.error.message}`);
      this.#records.set(parsed.data.guest, parsed.data);
    }
  }

  all(): GuestRecord[] {
    return [...this.#records.values()];
  }

  get(guest: string): GuestRecord | undefined {
    return this.#records.get(guest);
  }

  /** Durable when it returns. */
  put(record: GuestRecord): void {
    replaceFileDurably(this.#path(record.guest), `${JSON.stringify(record, null, 2)}\n`);
    this.#records.set(record.guest, record);
  }

  /** Changes the record in memory only: for the switchover, where the journal's promise already stands for it. */
  putVolatile(record: GuestRecord): void {
    this.#records.set(record.guest, record);
  }

  remove(guest: string): void {
    rmSync(this.#path(guest), { force: true });
    syncFolder(this.#folder);
    this.#records.delete(guest);
  }

  #path(guest: string): string {
    return join(this.#folder, `${guest}.json`);
  }
}
