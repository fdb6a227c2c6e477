import type { GuestInstance } from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";

/** QEMU's rate limiter sleeps to the end of its window (BUFFER_DELAY in migration/migration.c). */
const longestSleepMs = 100;

/** How often a stream that was slow is looked at until it is seen to go on. */
const lookMs = 4;

/**
 * The bandwidth of one stream, in bytes per second (0: as fast as the link takes it), as two parties want it: the pace of
 * its passes, and the share that guests' own traffic leaves it. The smaller one counts.
 */
export class StreamBandwidth {
  readonly #instance: Pick<GuestInstance, "setOutgoingParameters" | "migrationProgress">;
  #wanted: number;
  #share: number | null = null;
  #present: number;
  #latest: Promise<void> = Promise.resolve();

  /** @param present what the stream was told already. */
  constructor(
    instance: Pick<GuestInstance, "setOutgoingParameters" | "migrationProgress">,
    present: number,
  ) {
    this.#instance = instance;
    this.#wanted = present;
    this.#present = present;
  }

  /** As it was told, or is about to be. */
  get bytesPerSecond(): number {
    return smallerLimit(this.#wanted, this.#share);
  }

  /** For the pace of its passes. @throws SojournError as `setOutgoingParameters`. */
  async set(bytesPerSecond: number): Promise<void> {
    this.#wanted = bytesPerSecond;
    await this.#apply();
  }

  /** What guests' traffic leaves it; null: everything. @throws SojournError as `setOutgoingParameters`. */
  async limitTo(bytesPerSecond: number | null): Promise<void> {
    this.#share = wholeShare(bytesPerSecond);
    await this.#apply();
  }

  /** Somebody has told QEMU another bandwidth: whoever comes next tells it anew. */
  forget(): void {
    this.#present = Number.NaN;
  }

  /**
   * Before the stop, the stream has the link to itself. Returns once it is seen to go on: QEMU sleeps through the rest of a
   * window, however much it may send by then.
   * @throws SojournError as `setOutgoingParameters`.
   */
  async lift(signal: AbortSignal): Promise<void> {
    const wasLimited = this.#share !== null && this.#present === this.#share;
    await this.limitTo(null);
    if (!wasLimited) return;
    const before = await this.#instance.migrationProgress();
    const giveUpAt = monotonicMs() + longestSleepMs;
    while (monotonicMs() < giveUpAt) {
      await delay(lookMs, signal);
      const { transferredBytes } = await this.#instance.migrationProgress();
      if (transferredBytes !== before.transferredBytes) return;
    }
  }

  /** One order at a time, so that the last one given is the last one that QEMU hears. */
  #apply(): Promise<void> {
    const applied = this.#latest.then(async () => {
      const { bytesPerSecond } = this;
      if (bytesPerSecond === this.#present) return;
      // Until the answer nobody knows what it is.
      this.#present = Number.NaN;
      await this.#instance.setOutgoingParameters({ maxBandwidthBytesPerSecond: bytesPerSecond });
      this.#present = bytesPerSecond;
    });
    this.#latest = applied.catch(() => {});
    return applied;
  }
}

/** A share in whole bytes per second, never 0, which would be no limit. */
export function wholeShare(bytesPerSecond: number | null): number | null {
  return bytesPerSecond === null ? null : Math.max(1, Math.round(bytesPerSecond));
}

/** Of a limit in bytes per second (0: none) and a share (null: everything) what counts. */
export function smallerLimit(wanted: number, share: number | null): number {
  if (share === null) return wanted;
  return wanted === 0 ? share : Math.min(wanted, share);
}
