import type { DrainReport } from "./report.ts";

/** What has become of a redirect, for people: `retired (last-flow), 10.1.0.10 is free`. Pure. */
export function describeDrain({ state, reason, freed }: DrainReport): string {
  if (state === "draining") return "draining";
  if (state === "ended") return "ended before it was retired";
  const free = freed === null ? "" : `, ${freed} is free`;
  return `retired (${reason ?? "-"})${free}`;
}
