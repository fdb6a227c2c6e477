import type { MigrationInstants } from "./results.ts";
import type { GuestReading, TcpReading } from "./series.ts";

/** How many readings on each side of the blackout are asked for the surest one; more would add drift. */
const readingsAround = 10;

/** How much the totals of a session grew across a migration; null where the kernel did not tell them. */
export function sessionGrowth(
  readings: readonly TcpReading[],
  { startMs, settledMs }: MigrationInstants,
): { retransmissions: number | null; rto: number | null } {
  const before = readings.findLast(({ atMs }) => atMs <= startMs) ?? readings[0];
  const after = readings.findLast(({ atMs }) => atMs <= settledMs) ?? before;
  return {
    retransmissions: growth(before?.retransmissions, after?.retransmissions),
    rto: growth(before?.rto, after?.rto),
  };
}

/** How much the guest's own totals grew. */
export function guestGrowth(
  readings: readonly GuestReading[],
  { startMs, settledMs }: MigrationInstants,
): { retransmissions: number | null; rto: number | null } {
  const known = readings.filter(({ retransmissions }) => retransmissions !== null);
  const before = known.findLast(({ atMs }) => atMs <= startMs) ?? known[0];
  const after = known.findLast(({ atMs }) => atMs <= settledMs);
  return {
    retransmissions: growth(before?.retransmissions, after?.retransmissions),
    rto: growth(before?.rto, after?.rto),
  };
}

/**
 * How far the guest's wall clock jumped across the blackout: the surest reading shortly after it minus the surest
 * shortly before. Positive: the guest's clock is ahead of where it would be. What the two clocks drift apart in
 * the second or two between the readings is part of the figure.
 */
export function guestClockStep(
  readings: readonly GuestReading[],
  { startMs, stoppedMs, resumedMs }: MigrationInstants,
): { stepMs: number; errorMs: number } | null {
  if (resumedMs === null) return null;
  const endMs = stoppedMs ?? startMs;
  const before = surest(readings.filter(({ atMs }) => atMs <= endMs).slice(-readingsAround));
  // A question from before the stop that is answered after the resume was under way for all of the blackout.
  const later = readings.filter(({ atMs, errorMs }) => atMs - 2 * errorMs >= resumedMs);
  const after = surest(later.slice(0, readingsAround));
  if (before === null || after === null) return null;
  return { stepMs: after.aheadMs - before.aheadMs, errorMs: after.errorMs + before.errorMs };
}

function surest(readings: readonly GuestReading[]): GuestReading | null {
  return readings.reduce<GuestReading | null>(
    (best, one) => (best === null || one.errorMs < best.errorMs ? one : best),
    null,
  );
}

function growth(
  before: number | null | undefined,
  after: number | null | undefined,
): number | null {
  if (before === null || before === undefined || after === null || after === undefined) return null;
  return Math.max(0, after - before);
}
