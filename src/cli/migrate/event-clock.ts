/**
 * Puts a migration's own times (`at_ms`, on the source's clock) onto this process's monotonic clock.
 * The event that was under way for the shortest time tells the offset, so the error is that one's delay.
 */
export class EventClock {
  #offsetMs: number | null = null;
  readonly #atMs = new Map<string, number>();

  /** @param receivedMs monotonic, here. */
  see(phase: string, atMs: number, receivedMs: number): void {
    const offset = receivedMs - atMs;
    if (this.#offsetMs === null || offset < this.#offsetMs) this.#offsetMs = offset;
    this.#atMs.set(phase, atMs);
  }

  /** Monotonic milliseconds here at which the migration's clock showed 0; null before the first event. */
  get originMs(): number | null {
    return this.#offsetMs;
  }

  /** When a phase was entered, on the monotonic clock here; null when it was not. */
  timeOf(phase: string): number | null {
    const atMs = this.#atMs.get(phase);
    return atMs === undefined || this.#offsetMs === null ? null : atMs + this.#offsetMs;
  }
}
