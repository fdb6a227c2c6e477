import { startTimer, type Timer } from "../../platform/clock.ts";
import type { Logger } from "../../platform/log.ts";

/** A line each would let whoever is refused fill the disk and hold up the event loop. */
const summaryMs = 10_000;

/**
 * Counts what the API's listener refuses, by reason, and logs a summary at most every ten seconds. The first refusal
 * after a quiet time is logged at once.
 */
export class Refusals implements Disposable {
  readonly #logger: Logger;
  readonly #totals = new Map<string, number>();
  readonly #unsaid = new Map<string, number>();
  #timer: Timer | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Since the start, by reason. */
  get totals(): ReadonlyMap<string, number> {
    return this.#totals;
  }

  /** @param detail for the log, when it is written at once; no secret. */
  count(reason: string, detail: Record<string, unknown> = {}): void {
    this.#totals.set(reason, (this.#totals.get(reason) ?? 0) + 1);
    if (this.#timer === null) {
      this.#logger.warn({ reason, ...detail }, "API access refused");
      this.#timer = startTimer(() => this.#summarise(), summaryMs, false);
    } else {
      this.#unsaid.set(reason, (this.#unsaid.get(reason) ?? 0) + 1);
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  #summarise(): void {
    this.#timer = null;
    if (this.#unsaid.size === 0) return;
    const refused = Object.fromEntries(this.#unsaid);
    this.#logger.warn({ refused, withinMs: summaryMs }, "API access refused");
    this.#unsaid.clear();
    this.#timer = startTimer(() => this.#summarise(), summaryMs, false);
  }
}
