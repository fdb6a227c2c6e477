/** Shorter readings are of bursts, not of the link. */
const windowMs = 250;

/** A window that nobody looked into for so long was not one of a stream that was let go. */
const staleMs = 1_500;

/** Readings that count; older ones say nothing about what else uses the link now. */
const mostWindows = 16;

/** What a stream moves with this share of its limit or more is as fast as it is allowed to be. */
const atLimit = 0.7;

/** So many readings of a stream that had more to send, and was free to, tell that the link does not carry it any more. */
const refutations = 4;

/** With so much waiting the link has something to carry all the time, whatever pass the stream is in. */
const busyBytes = 128 * 1024;

/** What a stream has brought to the other side, and what it still has to. */
export interface LinkReading {
  /** QEMU's dirty syncs. */
  pass: number;
  arrivedBytes: number;
  queuedBytes: number;
}

/**
 * What the link carries, from what arrived while there was enough to send: within one pass, or with enough waiting in the
 * stream's socket, from the second window on. Three of five readings are not above the estimate, so that a burst counts
 * for little, and a stretch of empty pages, which are sent as a few bytes each, not for much.
 */
export class LinkEstimate {
  readonly #rates: number[] = [];
  /** Moved at a limit: the link carries that, and perhaps more. `slower`: what a full link carried since then. */
  #atLeast = { rate: 0, slower: [] as number[] };
  #window: (LinkReading & { sinceMs: number }) | null = null;
  #isFirst = true;

  /** Bytes per second; null before anything was measured. */
  get bytesPerSecond(): number | null {
    return Math.max(typicalOf(this.#rates), this.#atLeast.rate) || null;
  }

  /** @param limitBytesPerSecond that the stream was held to since the last reading; 0 for none. */
  note(reading: LinkReading, limitBytesPerSecond: number, nowMs: number): void {
    const window = this.#window;
    const elapsedMs = nowMs - (window?.sinceMs ?? nowMs);
    if (window === null || elapsedMs > staleMs || !isBusyBetween(window, reading)) {
      this.#window = { ...reading, sinceMs: nowMs };
      return;
    }
    const bytes = reading.arrivedBytes - window.arrivedBytes;
    if (elapsedMs < windowMs || bytes <= 0) return;
    this.#window = { ...reading, sinceMs: nowMs };
    const isLinkFull = isQueuedBetween(window, reading);
    if (!this.#isFirst) this.#add((bytes / elapsedMs) * 1000, limitBytesPerSecond, isLinkFull);
    this.#isFirst = false;
  }

  #add(rate: number, limit: number, isLinkFull: boolean): void {
    const atLeast = this.#atLeast;
    if (limit > 0 && rate >= atLimit * limit) {
      if (rate >= atLimit * atLeast.rate) {
        this.#atLeast = { rate: Math.max(rate, atLeast.rate), slower: [] };
      }
      return;
    }
    if (isLinkFull && rate < atLeast.rate) atLeast.slower.push(rate);
    if (atLeast.slower.length >= refutations) {
      this.#atLeast = { rate: typicalOf(atLeast.slower), slower: [] };
    }
    this.#rates.push(rate);
    if (this.#rates.length > mostWindows) this.#rates.shift();
  }
}

/** Three of five are not above it; 0 where there are none. */
function typicalOf(rates: readonly number[]): number {
  const sorted = rates.toSorted((one, other) => one - other);
  return sorted[Math.floor((sorted.length - 1) * 0.6)] ?? 0;
}

function isBusyBetween(before: LinkReading, now: LinkReading): boolean {
  return before.pass === now.pass || isQueuedBetween(before, now);
}

function isQueuedBetween(before: LinkReading, now: LinkReading): boolean {
  return Math.min(before.queuedBytes, now.queuedBytes) >= busyBytes;
}
