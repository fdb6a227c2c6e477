import { wallClockMs } from "../platform/clock.ts";
import { preconditionError, SojournError } from "../platform/errors.ts";
import { diskStorage, type Storage } from "../platform/storage.ts";
import { within } from "../platform/waiting.ts";
import { JournalFile, type JournalOpening } from "./journal-file.ts";
import { encodeRecord, type JournalDamage } from "./journal-format.ts";
import {
  isResolution,
  type JournalRecord,
  type JournalStep,
  unfinishedMigrations,
} from "./journal-record.ts";

/** This host's append-only journal: each record is on disk before `append` returns. */
export class Journal implements Disposable {
  readonly path: string;
  /** What was found when it was opened; the caller tells. */
  readonly opening: Omit<JournalOpening, "records">;
  readonly #file: JournalFile;
  readonly #records: JournalRecord[];
  readonly #steps = new Map<string, Set<JournalStep>>();
  readonly #held = new Set<string>();

  /**
   * Opens or begins the journal; a last record that a crash has torn is cut off, so that nothing is glued to it.
   * Damage elsewhere is no reason not to open it (see `holdUnfinished`).
   * @throws the system's error when the file cannot be opened for appending.
   */
  constructor(path: string, storage: Storage = diskStorage) {
    this.path = path;
    this.#file = new JournalFile(path, storage);
    const { records, ...opening } = this.#file.opening;
    this.opening = opening;
    this.#records = records;
    for (const record of records) this.#index(record);
  }

  /**
   * Writes and fdatasyncs; synchronous on purpose, the next line of the caller is the effect. When it throws,
   * nothing was recorded.
   * @throws SojournError `SOJ_JOURNAL_DAMAGED` for a journal whose form is not known: nothing may be added to it;
   * `SOJ_JOURNAL_RECORD`; the system's error.
   */
  append(record: Omit<JournalRecord, "at">): void {
    const { complete, bytes } = this.#encode(record);
    this.#file.append(bytes);
    this.#note(complete);
  }

  /**
   * The same for a caller that cannot wait for longer than `withinMs`, because a guest stands: it is on disk when
   * this resolves, and until then the process goes on. After `SOJ_JOURNAL_SLOW` a restarted daemon may find it.
   * @throws as `append`; SojournError `SOJ_JOURNAL_SLOW`.
   */
  async appendWithin(record: Omit<JournalRecord, "at">, withinMs: number): Promise<void> {
    const { complete, bytes } = this.#encode(record);
    const written = () => this.#file.appendInBackground(bytes);
    await within(withinMs, written, () => this.#slow(withinMs));
    this.#note(complete);
  }

  /** True when this migration's step was recorded, by this or an earlier daemon. */
  has(migration: string, step: JournalStep): boolean {
    return this.#steps.get(migration)?.has(step) ?? false;
  }

  /** Of this guest's migrations; 0 when there was none. A record of the guest that could not be stored lacks it. */
  highestEpoch(guest: string): number {
    const epochs = this.#records.filter((record) => record.guest === guest);
    return epochs.reduce((highest, { epoch }) => Math.max(highest, epoch), 0);
  }

  /**
   * With a damaged journal, nothing is done any more by itself for the guests that a lost record may have been
   * about: `concerned`, and those of the journal's unfinished migrations. Returns them all.
   */
  holdUnfinished(concerned: Iterable<string>): string[] {
    if (this.opening.damage.length === 0) return [];
    const unfinished = unfinishedMigrations(this.#records).map(({ guest }) => guest);
    for (const guest of [...unfinished, ...concerned]) this.#held.add(guest);
    return [...this.#held];
  }

  /** An operator has decided about the guest, in writing. */
  release(guest: string): void {
    this.#held.delete(guest);
  }

  /** What is left of a migration here, in the order of writing. */
  recordsOf(migration: string): JournalRecord[] {
    return this.#records.filter((record) => record.migration === migration);
  }

  /** Where an operator has kept the guest of this migration; null when nobody has decided. */
  resolutionOf(migration: string): "source" | "destination" | null {
    if (this.has(migration, "resolved-source")) return "source";
    return this.has(migration, "resolved-destination") ? "destination" : null;
  }

  /** An operator's decisions at sources that their destinations, where they are known, have not been told of. */
  untold(): JournalRecord[] {
    return this.#records.filter(
      (record) =>
        isResolution(record) &&
        record.role === "source" &&
        record.peer !== undefined &&
        !this.has(record.migration, "destination-told"),
    );
  }

  isHeld(guest: string): boolean {
    return this.#held.has(guest) || this.#isForeign();
  }

  /** @throws SojournError `SOJ_JOURNAL_DAMAGED` with the facts for a guest that is held. */
  refuseHeld(guest: string): void {
    if (this.isHeld(guest)) throw this.#damaged(guest);
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }

  #index(record: JournalRecord): void {
    const steps = this.#steps.get(record.migration) ?? new Set();
    this.#steps.set(record.migration, steps.add(record.step));
  }

  #encode(record: Omit<JournalRecord, "at">): { complete: JournalRecord; bytes: Uint8Array } {
    if (this.#isForeign()) throw this.#damaged(record.guest);
    const complete = { ...record, at: new Date(wallClockMs()).toISOString() };
    return { complete, bytes: encodeRecord(complete) };
  }

  #note(complete: JournalRecord): void {
    this.#records.push(complete);
    this.#index(complete);
  }

  #slow(withinMs: number): SojournError {
    return new SojournError(
      "SOJ_JOURNAL_SLOW",
      `the disk has not taken a record of ${this.path} within ${Math.round(withinMs)} ms`,
      { retryable: true, hint: "is the disk overloaded or failing? see the kernel's log" },
    );
  }

  #isForeign(): boolean {
    return this.opening.damage.some(({ reason }) => reason !== "damaged-record");
  }

  #damaged(guest: string): SojournError {
    const known = this.#records
      .filter((record) => record.guest === guest)
      .slice(-6)
      .map(({ migration, role, step, epoch }) => `${migration} epoch ${epoch} ${role}: ${step}`);
    const facts = known.length === 0 ? "it knows nothing of the guest" : known.join("; ");
    return preconditionError(
      "SOJ_JOURNAL_DAMAGED",
      `nothing is decided about ${guest}: ${this.path} ${describeDamage(this.opening.damage)}; of what is left: ${facts}`,
      {
        guestState: "unknown",
        hint: "the guest is as it was; sojourn journal show, then look where it runs on both hosts, and decide with sojourn resolve",
      },
    );
  }
}

/** The end of a sentence that begins with the journal's name. */
export function describeDamage(damage: readonly JournalDamage[]): string {
  return damage
    .map(({ reason, atByte, lengthBytes }) => {
      if (reason === "not-a-journal") return "is not a journal";
      if (reason === "unknown-version") return "has a version that this release does not know";
      return `is damaged at byte ${atByte} (${lengthBytes} bytes)`;
    })
    .join(", ");
}
