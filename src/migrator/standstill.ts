import { monotonicMs } from "../platform/clock.ts";

/** Tells for how long a figure that should grow, as the bytes of a stream, has stayed the same. */
export class Standstill {
  #value = Number.NaN;
  #sinceMs = monotonicMs();

  /** Takes the next reading; returns for how long (ms) the figure has been what it is. */
  note(value: number): number {
    const nowMs = monotonicMs();
    if (value !== this.#value) {
      this.#value = value;
      this.#sinceMs = nowMs;
    }
    return nowMs - this.#sinceMs;
  }
}
