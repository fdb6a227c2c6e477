import { delay, monotonicMs } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";

/** Between two tries. */
const retryMs = 500;

/** What fails for longer is for the next start of the daemon. */
const shortMs = 4_000;

/**
 * Tries `work` again when it fails, for what must happen at last but has nobody who could be told otherwise.
 * @param what is to be done, for the log. @returns whether it was done.
 */
export async function persistently(
  what: string,
  logger: Logger,
  work: () => Promise<void>,
  forMs = shortMs,
): Promise<boolean> {
  const deadlineMs = monotonicMs() + forMs;
  for (;;) {
    try {
      await work();
      return true;
    } catch (error) {
      if (monotonicMs() >= deadlineMs) {
        logger.error({ err: error }, `alarm: not done: ${what}`);
        return false;
      }
      logger.warn({ err: error }, `to be tried again: ${what}`);
    }
    await delay(retryMs);
  }
}
