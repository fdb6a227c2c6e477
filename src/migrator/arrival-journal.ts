import type { Logger } from "../platform/log.ts";
import type { Journal } from "./journal.ts";

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
  record(step: "prepared" | "takeover" | "abort" | "finished"): void {
    const { id, guest, epoch } = this.#identity;
    this.#journal.append({ step, migration: id, guest, epoch, role: "destination" });
  }

  /** The record of the guest says the same: what cannot be written is no reason to fail. */
  recordFinished(): void {
    try {
      this.record("finished");
    } catch (error) {
      this.#logger.error({ err: error }, "alarm: the journal's record could not be written");
    }
  }
}
