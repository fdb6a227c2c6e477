import { startInterval, type Timer } from "../platform/clock.ts";
import type { MigrationTask, SourceContext } from "./source-context.ts";
import { DestinationAborted } from "./stall-guard.ts";

/** How often the destination hears from us before the promise; far below its lease. */
const leaseRenewalMs = 5_000;

/** `preparing`: the destination may not know of the migration yet. */
export type LeasePhase = "preparing" | "prepared" | "not-needed";

/** Renewals in a row without an answer before the migration is given up. */
const toleratedSilences = 2;

/**
 * Keeps the destination's lease alive; a destination that is gone or has given up ends the migration. Before it has
 * prepared, it is only asked for a sign of life: a question about a migration that it does not know would end that.
 */
export class SourceLease implements Disposable {
  readonly #context: Pick<SourceContext, "peer">;
  readonly #task: MigrationTask;
  readonly #phase: () => LeasePhase;
  readonly #giveUp: (error: unknown) => void;
  readonly #timer: Timer;
  #unanswered = 0;

  constructor(
    context: Pick<SourceContext, "peer">,
    task: MigrationTask,
    told: { phase: () => LeasePhase; giveUp: (error: unknown) => void },
  ) {
    this.#context = context;
    this.#task = task;
    this.#phase = told.phase;
    this.#giveUp = told.giveUp;
    this.#timer = startInterval(() => void this.#renew(), leaseRenewalMs);
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  async #renew(): Promise<void> {
    const phase = this.#phase();
    if (phase === "not-needed") return;
    try {
      const state = phase === "prepared" ? await this.#askState() : await this.#askForLife();
      this.#unanswered = 0;
      if (state === "aborted") this.#giveUp(new DestinationAborted(this.#task.to));
    } catch (error) {
      this.#unanswered += 1;
      if (this.#unanswered >= toleratedSilences) this.#giveUp(error);
    }
  }

  async #askState(): Promise<string> {
    const { id, guest, epoch, to } = this.#task;
    const question = { id, guest, epoch, wait_ms: 0 };
    const options = { timeoutMs: leaseRenewalMs };
    return (await this.#context.peer(to).call("state", question, options)).state;
  }

  async #askForLife(): Promise<null> {
    await this.#context.peer(this.#task.to).call("clock", {}, { timeoutMs: leaseRenewalMs });
    return null;
  }
}
