import { sleptMs as machineSleptMs, monotonicMs, startTimer, type Timer } from "./clock.ts";

/** A standstill shorter than this is everyday life of a busy process (ms). */
export const longestPauseMs = 500;

const intervalMs = 100;

/**
 * Notices when this process stood still for more than half a second: stopped, blocked in one call, or asleep with its
 * machine, which CLOCK_MONOTONIC does not count. Whoever acts on what it knew before asks first. Watches until disposed.
 */
export class LoopWatch implements Disposable {
  readonly #sleptMs: () => number;
  #standstills = 0;
  #turnedMs = monotonicMs();
  #asleepMs: number;
  #timer: Timer;

  /** @param sleptMs how long the machine has slept, up to a constant. */
  constructor(sleptMs: () => number = machineSleptMs) {
    this.#sleptMs = sleptMs;
    this.#asleepMs = sleptMs();
    this.#timer = this.#next();
  }

  /** How often it has stood still; also right after a standstill, before any timer has had its turn. */
  get standstills(): number {
    this.#look();
    return this.#standstills;
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  #next(): Timer {
    return startTimer(
      () => {
        this.#look();
        this.#timer = this.#next();
      },
      intervalMs,
      false,
    );
  }

  #look(): void {
    const nowMs = monotonicMs();
    const asleepMs = this.#sleptMs();
    const stood = nowMs - this.#turnedMs > longestPauseMs;
    if (stood || asleepMs - this.#asleepMs > longestPauseMs) this.#standstills += 1;
    this.#turnedMs = nowMs;
    this.#asleepMs = asleepMs;
  }
}
