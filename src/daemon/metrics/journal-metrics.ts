import { monotonicMs } from "../../platform/clock.ts";
import { diskBuckets } from "./buckets.ts";
import type { Instruments } from "./instruments.ts";
import type { AppendObserver } from "./timed-storage.ts";

/** What is put aside between two scrapes; a daemon that nobody scrapes keeps no more. */
const mostAside = 256;

/** How fast the disk takes the journal's records. What it is told is put aside until somebody asks. */
export class JournalMetrics implements AppendObserver {
  #aside: number[] = [];
  #failures = 0;
  /** When those that are not on disk yet were begun; monotonic. */
  readonly #waiting: number[] = [];
  readonly #latency;

  constructor(instruments: Instruments) {
    this.#latency = instruments.histogram(
      "sojourn_journal_append_duration_seconds",
      "Time until a record of the journal was on disk: write and fdatasync.",
      diskBuckets,
      [],
      () => this.#settle(),
    );
    instruments.countedElsewhere(
      "sojourn_journal_append_failures_total",
      "Records that the disk did not take.",
      [],
      (add) => add({}, this.#failures),
    );
    instruments.collectedGauge(
      "sojourn_journal_append_waiting_seconds",
      "Age of the oldest record that the disk has not taken yet; 0 when there is none.",
      [],
      (gauge) => {
        const [oldestMs] = this.#waiting;
        gauge.set(oldestMs === undefined ? 0 : (monotonicMs() - oldestMs) / 1000);
      },
    );
  }

  began(startMs: number): void {
    this.#waiting.push(startMs);
  }

  ended(startMs: number, endMs: number, isOnDisk: boolean): void {
    const index = this.#waiting.indexOf(startMs);
    if (index >= 0) this.#waiting.splice(index, 1);
    if (!isOnDisk) this.#failures += 1;
    else if (this.#aside.push(endMs - startMs) >= mostAside) this.#settle();
  }

  #settle(): void {
    const aside = this.#aside;
    this.#aside = [];
    for (const durationMs of aside) this.#latency.observe(durationMs / 1000);
  }
}
