import { delay } from "../platform/clock.ts";

/** Pause before the first try, and the longest between two. */
const firstPauseMs = 2_000;
const longestPauseMs = 60_000;

/** Tries again and again, each time after a longer pause, until `attempt` is true. @throws the signal's reason. */
export async function untilDone(
  attempt: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    await delay(pauseMs, signal);
    const done = await attempt();
    signal.throwIfAborted();
    if (done) return;
  }
}
