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
  readonly isGuestStanding: () => boolean;
  #waiting: Promise<void> | null = null;

  constructor(isGuestStanding: () => boolean) {
    this.isGuestStanding = isGuestStanding;
  }

  /** Resolves when none stands any more, after a second at the latest. */
  async untilQuiet(): Promise<void> {
    this.#waiting ??= this.#look();
    await this.#waiting;
  }

  async #look(): Promise<void> {
    const giveUpMs = monotonicMs() + longestWaitMs;
    while (this.isGuestStanding() && monotonicMs() < giveUpMs) await delay(lookIntervalMs);
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
    if (canWait && quiet.isGuestStanding()) await quiet.untilQuiet();
  });
}
