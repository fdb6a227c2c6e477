import { delay, monotonicMs } from "../../platform/clock.ts";
import type { Api } from "./api.ts";

/** A guest that stands for longer is what somebody should see at last. */
const longestWaitMs = 1_000;

/** Between two looks, for all that wait. */
const lookIntervalMs = 5;

/**
 * Lets requests that only read wait while a guest stands because of a migration: many readers at once must not take
 * the event loop from a switchover. Those that change something, a cancellation above all, do not wait, but for those
 * that say that they can.
 */
export function holdReads(app: Api, isGuestStanding: () => boolean): void {
  let waiting: Promise<void> | null = null;
  async function untilQuiet(): Promise<void> {
    const giveUpMs = monotonicMs() + longestWaitMs;
    while (isGuestStanding() && monotonicMs() < giveUpMs) await delay(lookIntervalMs);
    waiting = null;
  }
  app.addHook("onRequest", async ({ routeOptions }) => {
    const { role = "read", canWait = role === "read" } = routeOptions.config;
    if (!canWait || !isGuestStanding()) return;
    waiting ??= untilQuiet();
    await waiting;
  });
}
