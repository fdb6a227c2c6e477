import { monotonicMs } from "../platform/clock.ts";

/** Calls `onTick` on an absolute schedule; ticks that are missed are left out, not made up in a burst. */
export class Ticker {
  readonly #intervalMs: number;
  readonly #onTick: (nowMs: number) => void;
  #dueMs = 0;
  #latestMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(intervalMs: number, onTick: (nowMs: number) => void) {
    this.#intervalMs = intervalMs;
    this.#onTick = onTick;
  }

  start(): void {
    this.#dueMs = monotonicMs() + this.#intervalMs;
    this.#arm(this.#intervalMs);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** How late the latest tick since the last call was: the process did not get to run for so long. */
  takeLongestDelayMs(): number {
    const result = this.#latestMs;
    this.#latestMs = 0;
    return result;
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => this.#run(), Math.max(0, delayMs));
  }

  #run(): void {
    const nowMs = monotonicMs();
    const lateMs = nowMs - this.#dueMs;
    this.#latestMs = Math.max(this.#latestMs, lateMs);
    this.#dueMs += this.#intervalMs * (1 + Math.max(0, Math.floor(lateMs / this.#intervalMs)));
    this.#arm(Math.floor(this.#dueMs - nowMs));
    this.#onTick(nowMs);
  }
}
