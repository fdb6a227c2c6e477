import { startInterval, type Timer } from "../platform/clock.ts";
import type { MigrationTask, SourceContext } from "./source-context.ts";

/** How often the destination hears from us before the promise; far below its lease. */
const leaseRenewalMs = 5_000;

/** Renewals in a row without an answer before the migration is given up. */
const toleratedSilences = 2;

/** Keeps the destination's lease alive; a destination that is gone or has given up ends the migration. */
export class SourceLease implements Disposable {
  readonly #context: Pick<SourceContext, "peer">;
  readonly #task: MigrationTask;
  readonly #isNeeded: () => boolean;
  readonly #giveUp: (error: unknown) => void;
  readonly #timer: Timer;
  #unanswered = 0;

  constructor(
    context: Pick<SourceContext, "peer">,
    task: MigrationTask,
    told: { isNeeded: () => boolean; giveUp: (error: unknown) => void },
  ) {
    this.#context = context;
    this.#task = task;
    this.#isNeeded = told.isNeeded;
    this.#giveUp = told.giveUp;
    this.#timer = startInterval(() => void this.#renew(), leaseRenewalMs);
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  async #renew(): Promise<void> {
    if (!this.#isNeeded()) return;
    const { id, guest, epoch, to } = this.#task;
    try {
      const { state } = await this.#context
        .peer(to)
        .call("state", { id, guest, epoch, wait_ms: 0 }, { timeoutMs: leaseRenewalMs });
      this.#unanswered = 0;
      if (state === "aborted") this.#giveUp(new Error(`${to} has given the migration up`));
    } catch (error) {
      this.#unanswered += 1;
      if (this.#unanswered >= toleratedSilences) this.#giveUp(error);
    }
  }
}
