import { monotonicMs } from "../platform/clock.ts";

const longestPauseMs = 30_000;
/** Nobody has changed anything for so long after a repair that was waited for: the pauses are over. */
const calmMs = 10_000;
const firstPauseMs = 1_000;

/**
 * How soon a host's network may be repaired again. Somebody who changes it again and again is answered less and less
 * often, since two who undo each other's work may harm more than either of them.
 */
export class RepairPace {
  readonly #burst: number;
  #level = 0;
  #pauseMs = 0;
  #failurePauseMs = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  /** @param burst repairs that may follow one another at once; one more is allowed each second. */
  constructor(burst = 3) {
    this.#burst = burst;
  }

  /** Milliseconds until the next look at the kernel; 0 for now. */
  get waitMs(): number {
    return Math.max(0, this.#notBeforeMs - monotonicMs());
  }

  /** True from the repair that was one too many until nothing was changed for a while. */
  get isContested(): boolean {
    return this.#pauseMs > 0;
  }

  /** Somebody's change was repaired. */
  repaired(): void {
    const nowMs = monotonicMs();
    this.#calmDown(nowMs);
    this.#level = Math.max(0, this.#level - (nowMs - this.#lastMs) / 1_000) + 1;
    this.#lastMs = nowMs;
    this.#failurePauseMs = 0;
    if (this.#level > this.#burst || this.isContested) this.#pauseMs = longer(this.#pauseMs);
    this.#notBeforeMs = nowMs + this.#pauseMs;
  }

  /** A repair was needed and did not succeed. */
  failed(): void {
    this.#failurePauseMs = longer(this.#failurePauseMs);
    this.#notBeforeMs = monotonicMs() + Math.max(this.#pauseMs, this.#failurePauseMs);
  }

  /** All was as it should be. */
  unchanged(): void {
    this.#failurePauseMs = 0;
    this.#calmDown(monotonicMs());
  }

  #calmDown(nowMs: number): void {
    if (nowMs - this.#lastMs > this.#pauseMs + calmMs) this.#pauseMs = 0;
  }
}

function longer(pauseMs: number): number {
  return pauseMs === 0 ? firstPauseMs : Math.min(longestPauseMs, 2 * pauseMs);
}
