import type { HttpResult, PacketResult, SessionResult, TcpStreamResult } from "./results.ts";

/** Several sessions of a kind as one result: the worst of the figures, the sum of the counts. */
export function worstOf(results: readonly SessionResult[]): SessionResult {
  const broken = total(results.map((one) => one.broken));
  return {
    outage_ms: broken > 0 ? null : highest(results.map((one) => one.outage_ms)),
    floor_ms: highest(results.map((one) => one.floor_ms)),
    sessions: total(results.map((one) => one.sessions)),
    broken,
    retransmissions: totalOrNull(results.map((one) => one.retransmissions)),
    rto: totalOrNull(results.map((one) => one.rto)),
  };
}

export function worstStreamOf(results: readonly TcpStreamResult[]): TcpStreamResult {
  return {
    ...worstOf(results),
    before_mbps: rounded(totalOrNull(results.map((one) => one.before_mbps))),
    after_mbps: rounded(totalOrNull(results.map((one) => one.after_mbps))),
    recovery_ms: results.some((one) => one.recovery_ms === null)
      ? null
      : highest(results.map((one) => one.recovery_ms)),
  };
}

/** The guest is one and the same: the surest reading of its clock, the highest of its counts. */
export function worstHttpOf(results: readonly HttpResult[]): HttpResult {
  const surest = results
    .filter((one) => one.guest_clock_error_ms !== null)
    .sort((a, b) => (a.guest_clock_error_ms ?? 0) - (b.guest_clock_error_ms ?? 0))[0];
  return {
    ...worstOf(results),
    status_errors: total(results.map((one) => one.status_errors)),
    guest_clock_step_ms: surest?.guest_clock_step_ms ?? null,
    guest_clock_error_ms: surest?.guest_clock_error_ms ?? null,
    guest_retransmissions: highest(results.map((one) => one.guest_retransmissions)),
    guest_rto: highest(results.map((one) => one.guest_rto)),
  };
}

export function worstPacketOf(results: readonly PacketResult[]): PacketResult {
  return {
    sent: total(results.map((one) => one.sent)),
    lost: total(results.map((one) => one.lost)),
    unread: total(results.map((one) => one.unread)),
    duplicated: total(results.map((one) => one.duplicated)),
    reordered: total(results.map((one) => one.reordered)),
    outage_ms: results.some((one) => one.outage_ms === null)
      ? null
      : highest(results.map((one) => one.outage_ms)),
    floor_ms: highest(results.map((one) => one.floor_ms)),
  };
}

function highest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function totalOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length < values.length ? null : total(known);
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}
