import type { MigrationProgress } from "../hypervisor/hypervisor.ts";

/** Shorter readings are of the hypervisor's bursts, not of the link. */
const windowMs = 150;

/** A window that nobody looked into for so long was not one of a stream that was let go. */
const staleMs = 1_000;

/** Readings that count; older ones say nothing about what else uses the link now. */
const mostWindows = 16;

/** What a stream moves with this share of its limit or more is as fast as it is allowed to be. */
const atLimit = 0.7;

type Reading = Pick<MigrationProgress, "dirtySyncCount" | "transferredBytes">;

/**
 * What the link carries, from what the stream moved while it had enough to send: within one pass, from the second
 * window on (the first fills the socket's buffer). Three quarters of the readings are not above the estimate, so that a
 * burst counts for little, and a stretch of empty pages, which are sent as a few bytes each, for nothing.
 */
export class LinkEstimate {
  readonly #rates: number[] = [];
  /** Moved at a limit: the link carries that, and perhaps more. */
  #atLeast = 0;
  #window: { pass: number; bytes: number; sinceMs: number } | null = null;
  #isFirst = true;

  /** Bytes per second; null before anything was measured. */
  get bytesPerSecond(): number | null {
    const sorted = this.#rates.toSorted((one, other) => one - other);
    const measured = sorted[Math.floor((sorted.length - 1) * 0.75)] ?? 0;
    return Math.max(measured, this.#atLeast) || null;
  }

  /** @param limitBytesPerSecond that the stream was held to since the last reading; 0 for none. */
  note(
    { dirtySyncCount: pass, transferredBytes: bytes }: Reading,
    limitBytesPerSecond: number,
    nowMs: number,
  ): void {
    const window = this.#window;
    const isStale = window !== null && nowMs - window.sinceMs > staleMs;
    if (window === null || window.pass !== pass || bytes < window.bytes || isStale) {
      this.#window = { pass, bytes, sinceMs: nowMs };
      return;
    }
    const elapsedMs = nowMs - window.sinceMs;
    if (elapsedMs < windowMs || bytes === window.bytes) return;
    this.#window = { pass, bytes, sinceMs: nowMs };
    if (!this.#isFirst) this.#add(((bytes - window.bytes) / elapsedMs) * 1000, limitBytesPerSecond);
    this.#isFirst = false;
  }

  #add(rate: number, limit: number): void {
    if (limit > 0 && rate >= atLimit * limit) {
      this.#atLeast = Math.max(this.#atLeast, rate);
      return;
    }
    this.#rates.push(rate);
    if (this.#rates.length > mostWindows) this.#rates.shift();
  }
}
