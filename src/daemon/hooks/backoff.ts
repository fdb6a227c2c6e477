/** The first pause after a failure, before it is shortened at random. */
const firstPauseMs = 1_000;

/** The longest. */
const longestPauseMs = 120_000;

/**
 * How long to wait after so many failures in a row: doubled each time, and shortened at random by up to a half, so
 * that many senders do not come back at the same moment. The first is at most a second.
 * @param random in [0, 1).
 */
export function pauseMs(failures: number, random: number = Math.random()): number {
  const full = Math.min(firstPauseMs * 2 ** Math.min(failures - 1, 20), longestPauseMs);
  return full * (1 - random / 2);
}
