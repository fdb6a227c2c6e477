/** How long a pair of readings may count: a wall clock that was stepped is followed after so long. */
const periodMs = 1000;

/**
 * Puts another process's wall-clock stamps onto our monotonic clock. A stamp is read some time after it was
 * made, never before, so the pair with the shortest delay of the last one to two seconds tells the offset.
 */
export class StampClock {
  #current = Number.POSITIVE_INFINITY;
  #previous = Number.POSITIVE_INFINITY;
  #periodEndMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs monotonic, when the stamp was read. @returns when it was made, monotonic, never later than `nowMs`. */
  toMonotonicMs(stampMs: number, nowMs: number): number {
    if (nowMs >= this.#periodEndMs) {
      this.#previous = this.#current;
      this.#current = Number.POSITIVE_INFINITY;
      this.#periodEndMs = nowMs + periodMs;
    }
    this.#current = Math.min(this.#current, nowMs - stampMs);
    return stampMs + Math.min(this.#current, this.#previous);
  }
}
