import { monotonicMs } from "../platform/clock.ts";

/** Reasons to put something off, each until it is disposed of or its time is over. */
export class Postponements {
  readonly #ends = new Set<{ atMs: number }>();

  /** True while there is one. */
  get areInForce(): boolean {
    const nowMs = monotonicMs();
    for (const end of this.#ends) if (end.atMs <= nowMs) this.#ends.delete(end);
    return this.#ends.size > 0;
  }

  add(mostMs: number): Disposable {
    const end = { atMs: monotonicMs() + mostMs };
    this.#ends.add(end);
    return { [Symbol.dispose]: () => void this.#ends.delete(end) };
  }
}
