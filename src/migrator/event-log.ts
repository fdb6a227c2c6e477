import { waitAtMost } from "../platform/waiting.ts";

/** Events of one migration: kept from the first on, and passed to whoever follows. */
export class EventLog<Event> {
  readonly #events: Event[] = [];
  #ended = false;
  #changed = Promise.withResolvers<void>();

  get events(): readonly Event[] {
    return this.#events;
  }

  get ended(): boolean {
    return this.#ended;
  }

  push(event: Event): void {
    if (this.#ended) return;
    this.#events.push(event);
    this.#notify();
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** Resolves when there is an event number `from`, when the log has ended, or after `waitMs`. */
  async wait(from: number, waitMs: number): Promise<void> {
    if (this.#events.length > from || this.#ended) return;
    await waitAtMost(waitMs, this.#changed.promise);
  }

  /** All events, past ones first, until the log ends or `signal` fires. */
  async *follow(signal: AbortSignal): AsyncGenerator<Event> {
    let next = 0;
    const aborted = new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true }),
    );
    while (!signal.aborted) {
      for (; next < this.#events.length; next += 1) {
        yield this.#events[next] as Event;
        if (signal.aborted) return;
      }
      if (this.#ended) return;
      await Promise.race([this.#changed.promise, aborted]);
    }
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
