import { delay, monotonicMs } from "./clock.ts";
import type { Logger } from "./log.ts";

/** How often something is tried. */
export interface Pace {
  /** Between a failure and the next try. */
  pauseMs: number;
  /** Each pause is twice the one before, up to this; without it all are the same. */
  longestPauseMs?: number;
  /** No try begins later than so long after the first; without it there is no end. */
  forMs?: number;
}

export interface RetryOptions extends Pace {
  /** True for a failure after which no other try could help. */
  isFinal?: (error: unknown) => boolean;
  /** Told of each failure that is followed by another try. */
  onFailure?: (error: unknown) => void;
  /** Ends the waiting between two tries, not a try itself. */
  signal?: AbortSignal;
}

/** For somebody who cannot be reached: after two seconds, then less and less often, at the latest after a minute. */
export const lessAndLessOften: Pace = { pauseMs: 2_000, longestPauseMs: 60_000 };

/**
 * Does `work` at once, and again after each failure, until it succeeds; its result.
 * @throws the failure that was final or came after the time was up; the signal's reason.
 */
export async function retry<Result>(
  work: () => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const { longestPauseMs, forMs = Number.POSITIVE_INFINITY, isFinal, onFailure, signal } = options;
  const deadlineMs = monotonicMs() + forMs;
  for (let { pauseMs } = options; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs ?? pauseMs)) {
    try {
      const result = await work();
      signal?.throwIfAborted();
      return result;
    } catch (error) {
      signal?.throwIfAborted();
      if (isFinal?.(error) || monotonicMs() >= deadlineMs) throw error;
      onFailure?.(error);
    }
    await delay(pauseMs, signal);
  }
}

/**
 * Retries what must happen at last but has nobody who could be told otherwise: for a few seconds, since what fails for
 * longer is for the daemon's next start. Both are in the log.
 * @param what is to be done, for the log. @returns whether it was done.
 */
export async function persistently(
  what: string,
  logger: Logger,
  work: () => Promise<void>,
  forMs = 4_000,
): Promise<boolean> {
  const onFailure = (error: unknown) => logger.warn({ err: error }, `to be tried again: ${what}`);
  try {
    await retry(work, { pauseMs: 500, forMs, onFailure });
    return true;
  } catch (error) {
    logger.error({ err: error }, `alarm: not done: ${what}`);
    return false;
  }
}
