import { delay, monotonicMs } from "../../platform/clock.ts";
import type { Api } from "./api.ts";

/** A guest that stands for longer is what somebody should see at last. */
const longestWaitMs = 1_000;

/** Between two looks, for all that wait. */
const lookIntervalMs = 5;

/**
 * Lets readers wait while a guest stands because of a migration: many of them at once must not take the event loop
 * from a switchover. One look at the guest serves all that wait.
 */
export class QuietReads {
  readonly #isGuestStanding: () => boolean;
  #waiting: Promise<void> | null = null;
  /** Until then nobody waits for a guest that others have waited for in vain. */
  #openUntilMs = Number.NEGATIVE_INFINITY;

  constructor(isGuestStanding: () => boolean) {
    this.#isGuestStanding = isGuestStanding;
  }

  /** Whether a reader may go on at once. */
  get isQuiet(): boolean {
    if (this.#isGuestStanding()) return monotonicMs() < this.#openUntilMs;
    this.#openUntilMs = Number.NEGATIVE_INFINITY;
    return true;
  }

  /**
   * Resolves when none stands any more, after a second at the latest. For the second after that it is quiet: whoever has
   * many things to read, one after the other, does not wait that long for each.
   */
  async untilQuiet(): Promise<void> {
    this.#waiting ??= this.#look();
    await this.#waiting;
  }

  async #look(): Promise<void> {
    const giveUpMs = monotonicMs() + longestWaitMs;
    while (!this.isQuiet && monotonicMs() < giveUpMs) await delay(lookIntervalMs);
    if (!this.isQuiet) this.#openUntilMs = monotonicMs() + longestWaitMs;
    this.#waiting = null;
  }
}

/**
 * Holds requests that only read. Those that change something, a cancellation above all, do not wait, but for those
 * that say that they can.
 */
export function holdReads(app: Api, quiet: QuietReads): void {
  app.addHook("onRequest", async ({ routeOptions }) => {
    const { role = "read", canWait = role === "read" } = routeOptions.config;
    if (canWait && !quiet.isQuiet) await quiet.untilQuiet();
  });
}
