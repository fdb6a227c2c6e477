import type { FlowsReport } from "./report.ts";

/** What became of a guest's flows, for people: `3 of 3 established flows survived, 20 000 carried in 312 ms`. Pure. */
export function describeFlows({
  established,
  survived,
  carried,
  refused,
  carry_ms,
  difference_ms,
}: FlowsReport): string {
  const parts = [
    survived === null
      ? `${grouped(established)} established flows, not known how many survived`
      : `${grouped(survived)} of ${grouped(established)} established flows survived`,
  ];
  const took = carry_ms ?? difference_ms;
  if (carried !== undefined) {
    const inTime = took === undefined ? "" : ` in ${Math.round(took)} ms`;
    parts.push(`${grouped(carried)} carried${inTime}`);
  }
  for (const [reason, count] of Object.entries(refused ?? {})) {
    parts.push(`${grouped(count)} refused (${reason})`);
  }
  return parts.join(", ");
}

/** Thousands apart, as ISO 80000-1 has it. */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, " ");
}
