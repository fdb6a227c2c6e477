/** How far another host's wall clock is ahead of ours, and how sure that is. */
export interface ClockOffset {
  offsetMs: number;
  /** Half the shortest round trip: the largest possible error of `offsetMs`. */
  errorMs: number;
}

/**
 * Estimates the offset from a few readings, trusting the one with the shortest round trip (RFC 5905, section 8).
 * An offset within its own error is taken as zero: hosts with synchronised clocks stay comparable to the µs.
 * @param read returns the other host's wall clock in ms since 1970.
 */
export async function estimateClockOffset(
  read: () => Promise<number>,
  now: () => number,
  samples = 5,
): Promise<ClockOffset> {
  let best: ClockOffset = { offsetMs: 0, errorMs: Number.POSITIVE_INFINITY };
  for (let sample = 0; sample < samples; sample += 1) {
    const sent = now();
    const theirs = await read();
    const received = now();
    const errorMs = (received - sent) / 2;
    if (errorMs < best.errorMs) best = { offsetMs: theirs - (sent + received) / 2, errorMs };
  }
  return Math.abs(best.offsetMs) <= best.errorMs ? { ...best, offsetMs: 0 } : best;
}
