import { delay } from "../platform/clock.ts";
import { lessAndLessOften, retry } from "../platform/retry.ts";
import type { GuestRecord } from "./records.ts";
import { isPromiseOpen } from "./resumption.ts";
import type { MigrationTask, SourceContext } from "./source-context.ts";
import { askForFinalWord } from "./source-ending.ts";

type Unfinished = Pick<MigrationTask, "id" | "guest" | "epoch" | "to">;

/**
 * Migrations that ended at their source without an end at this host, because the destination did not answer. It is
 * asked again, and once it has answered, `goOn` finishes the migration as a restart would.
 */
export class Inquiries implements Disposable {
  readonly #context: SourceContext;
  readonly #goOn: (record: GuestRecord) => void;
  readonly #asking = new Map<string, { stop: AbortController; stopped: Promise<void> }>();
  #closed = false;

  constructor(context: SourceContext, goOn: (record: GuestRecord) => void) {
    this.#context = context;
    this.#goOn = goOn;
  }

  /** Asks about a migration that has just ended, if something of it is left to do. */
  begin(task: Unfinished): void {
    if (this.#closed || this.#asking.has(task.id) || this.#recordOf(task) === null) return;
    const stop = new AbortController();
    const stopped = this.#ask(task, stop.signal).catch((error: unknown) => {
      if (stop.signal.aborted) return;
      this.#context.logger.error({ migration: task.id, err: error }, "alarm: not asked any more");
    });
    this.#asking.set(task.id, { stop, stopped });
  }

  /** Resolves when nobody asks about this migration any more; it may have gone on by then. */
  async suspend(id: string): Promise<void> {
    const asking = this.#asking.get(id);
    asking?.stop.abort();
    this.#asking.delete(id);
    await asking?.stopped;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const { stop } of this.#asking.values()) stop.abort();
    this.#asking.clear();
  }

  async #ask(task: Unfinished, signal: AbortSignal): Promise<void> {
    const { logger } = this.#context;
    const fields = { migration: task.id, guest: task.guest, destination: task.to };
    logger.warn(fields, "the destination is asked again until it answers");
    await delay(lessAndLessOften.pauseMs, signal);
    await retry(() => this.#hear(task), {
      ...lessAndLessOften,
      signal,
      onFailure: (error) =>
        logger.info({ migration: task.id, err: error }, "no answer about a migration in doubt"),
    });
    this.#asking.delete(task.id);
    const record = this.#recordOf(task);
    if (record !== null) this.#goOn(record);
  }

  /**
   * Resolves when the destination has given its final word, or needs not to: then it is asked again by who goes on. Or
   * when nothing is left to do.
   */
  async #hear(task: Unfinished): Promise<void> {
    const { guests, journal, logger } = this.#context;
    try {
      journal.refuseHeld(task.guest);
      if (!isPromiseOpen(journal, task.id)) return;
      if (journal.resolutionOf(task.id) !== null) return;
      if (journal.has(task.id, "taken-over-by-destination")) return await this.#hearAny(task);
      const { state } = await askForFinalWord(this.#context, task, guests.instance(task.guest));
      logger.info({ migration: task.id, answer: state }, "the destination answers again");
    } catch (error) {
      if (this.#recordOf(task) !== null) throw error;
    }
  }

  /** One that has taken the guest over needs more than an order only while memory follows: then it has to be there. */
  async #hearAny({ id, guest, to }: Unfinished): Promise<void> {
    if (!this.#context.journal.has(id, "post-copy")) return;
    await this.#context.peer(to).call("migration-facts", { id, guest });
  }

  #recordOf({ id, guest }: Unfinished): GuestRecord | null {
    const record = this.#context.records.get(guest);
    return record?.migration?.id === id && record.migration.role === "source" ? record : null;
  }
}
