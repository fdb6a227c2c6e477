import { monotonicMs } from "../../platform/clock.ts";

const windowMs = 1000;

/** Counts events within each second, in all and by key. Holds no more keys than events are allowed in a second. */
export class RateMeter {
  readonly #inAll: number;
  readonly #perKey: number;
  readonly #counts = new Map<string, number>();
  #total = 0;
  #startMs = Number.NEGATIVE_INFINITY;

  /**
   * @param inAll events allowed in a second.
   * @param perKey of those, with one key.
   */
  constructor(inAll: number, perKey: number) {
    this.#inAll = inAll;
    this.#perKey = perKey;
  }

  /** Whether one more may happen now; if so, it counts. */
  allows(key: string): boolean {
    const nowMs = monotonicMs();
    if (nowMs - this.#startMs >= windowMs) {
      this.#startMs = nowMs;
      this.#total = 0;
      this.#counts.clear();
    }
    const count = this.#counts.get(key) ?? 0;
    if (this.#total >= this.#inAll || count >= this.#perKey) return false;
    this.#total += 1;
    this.#counts.set(key, count + 1);
    return true;
  }
}
