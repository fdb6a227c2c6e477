import { monotonicMs } from "../platform/clock.ts";

/** Shorter intervals tell more about chance than about the guest. */
const shortestIntervalMs = 50;

/** The highest packet rate between any two readings of a counter. */
export class InboundRate {
  #last: { packets: number; atMs: number } | null = null;
  #highest = 0;

  /** @param atMs monotonic. */
  read(packets: number, atMs = monotonicMs()): void {
    const last = this.#last;
    if (last !== null && atMs - last.atMs < shortestIntervalMs) return;
    if (last !== null) {
      const rate = ((packets - last.packets) / (atMs - last.atMs)) * 1000;
      this.#highest = Math.max(this.#highest, rate);
    }
    this.#last = { packets, atMs };
  }

  get packetsPerSecond(): number {
    return this.#highest;
  }
}
