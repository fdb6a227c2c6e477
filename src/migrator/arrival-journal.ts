import type { Logger } from "../platform/log.ts";
import type { Journal } from "./journal.ts";
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
  record(step: "takeover" | "abort" | "finished"): void {
    this.#append({ step });
  }

  /** With its source, which alone has a say in it, also when it is over. @throws as `record`. */
  recordPrepared(source: string): void {
    this.#append({ step: "prepared", peer: source });
  }

  /** The record of the guest says the same: what cannot be written is no reason to fail. */
  recordFinished(): void {
    try {
      this.record("finished");
    } catch (error) {
      this.#logger.error({ err: error }, "alarm: the journal's record could not be written");
    }
  }

  #append(part: { step: JournalStep; peer?: string }): void {
    const { id, guest, epoch } = this.#identity;
    this.#journal.append({ ...part, migration: id, guest, epoch, role: "destination" });
  }
}
