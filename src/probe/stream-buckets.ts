/** Buckets between two batches; a batch is longer only when the process itself did not run. */
const maxBuckets = 4096;

export interface BucketBatch {
  base_ms: number;
  bytes: number[];
  gap_us: number[];
  gap_end_us: number[];
}

/** Bytes and the longest gap between arrivals, per bucket of fixed width. */
export class StreamBuckets {
  readonly #widthMs: number;
  readonly #bytes = new Float64Array(maxBuckets);
  readonly #gapMs = new Float64Array(maxBuckets);
  readonly #gapEndMs = new Float64Array(maxBuckets);
  readonly #full: BucketBatch[] = [];
  #baseMs = -1;
  #length = 0;
  #lastArrivalMs = -1;

  constructor(widthMs: number) {
    this.#widthMs = widthMs;
  }

  /** Counts one arrival. Moments have to come in order. */
  add(nowMs: number, bytes: number): void {
    if (this.#baseMs < 0) this.#baseMs = nowMs;
    const index = this.#indexOf(nowMs);
    const gapMs = this.#lastArrivalMs < 0 ? 0 : nowMs - this.#lastArrivalMs;
    this.#lastArrivalMs = nowMs;
    this.#bytes[index] = (this.#bytes[index] as number) + bytes;
    if (gapMs >= (this.#gapMs[index] as number)) {
      this.#gapMs[index] = gapMs;
      this.#gapEndMs[index] = nowMs;
    }
  }

  /** The buckets that are over at `nowMs`, and with `all` also the one that is not. */
  take(nowMs: number, all: boolean): BucketBatch[] {
    if (this.#baseMs >= 0) {
      const current = this.#indexOf(nowMs);
      this.#cut(all ? current + 1 : current);
    }
    return this.#full.splice(0);
  }

  #indexOf(nowMs: number): number {
    let index = Math.max(0, Math.floor((nowMs - this.#baseMs) / this.#widthMs));
    while (index >= maxBuckets) {
      this.#length = maxBuckets;
      this.#cut(maxBuckets);
      index -= maxBuckets;
    }
    this.#length = Math.max(this.#length, index + 1);
    return index;
  }

  /** Moves the first `count` buckets out and what follows to the front. */
  #cut(count: number): void {
    const baseMs = this.#baseMs;
    const microseconds = (timeMs: number) => Math.max(0, Math.round(timeMs * 1000));
    this.#full.push({
      base_ms: baseMs,
      bytes: Array.from(this.#bytes.subarray(0, count)),
      gap_us: Array.from(this.#gapMs.subarray(0, count), microseconds),
      gap_end_us: Array.from(this.#gapEndMs.subarray(0, count), (endMs) =>
        microseconds(endMs - baseMs),
      ),
    });
    for (const column of [this.#bytes, this.#gapMs, this.#gapEndMs]) {
      column.copyWithin(0, count, this.#length);
      column.fill(0, Math.max(0, this.#length - count), this.#length);
    }
    this.#length = Math.max(0, this.#length - count);
    this.#baseMs += count * this.#widthMs;
  }
}
