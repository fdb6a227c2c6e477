import type { Logger } from "../platform/log.ts";
import type { Journal } from "./journal.ts";
import { alarmOfUnwritten } from "./journal-alarm.ts";
import type { JournalStep } from "./journal-record.ts";

/** One arriving guest's part of the journal. */
export class ArrivalJournal {
  readonly #journal: Journal;
  readonly #logger: Logger;
  readonly #identity: { id: string; guest: string; epoch: number };

  constructor(
    { journal, logger }: { journal: Journal; logger: Logger },
    identity: { id: string; guest: string; epoch: number },
  ) {
    this.#journal = journal;
    this.#logger = logger;
    this.#identity = identity;
  }

  /** On disk when it returns. @throws what `Journal.append` throws; nothing is recorded then. */
  record(step: "post-copy" | "takeover" | "abort" | "finished"): void {
    this.#journal.append(this.#recordOf(step));
  }

  has(step: JournalStep): boolean {
    return this.#journal.has(this.#identity.id, step);
  }

  /** With its source, which alone has a say in it, also when it is over. @throws as `record`. */
  recordPrepared(source: string): void {
    this.#journal.append({ ...this.#recordOf("prepared"), peer: source });
  }

  /** The record of the guest says the same: what cannot be written is no reason to fail. */
  recordFinished(): void {
    try {
      this.record("finished");
    } catch (error) {
      alarmOfUnwritten(this.#logger, this.#recordOf("finished"), error);
    }
  }

  #recordOf(step: JournalStep) {
    const { id, guest, epoch } = this.#identity;
    return { step, migration: id, guest, epoch, role: "destination" } as const;
  }
}
