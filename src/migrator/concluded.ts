import { ExitCode, type GuestState, SojournError } from "../platform/errors.ts";
import type { MigrationEnd } from "./migration-end.ts";
import type { MigrationReport } from "./report.ts";
import type { Keep } from "./resolution-verdict.ts";
import type { StoredMigration } from "./stored-migration.ts";

/**
 * How a migration in doubt has ended once an operator has decided, where nothing is left to do but to say so. Pure.
 * @param runState the hypervisor's word for what the guest does at the source; `unknown` when it cannot be asked.
 * @param nowMs wall clock, milliseconds since 1970.
 */
export function endOfConcluded(
  stored: StoredMigration,
  keep: Keep,
  runState: string,
  nowMs: number,
): MigrationEnd {
  const outcome = keep === "source" ? "rolled-back" : "completed";
  const known = stored.report ?? reportWithoutFigures(stored, nowMs);
  const report: MigrationReport = { ...known, outcome, resolved: keep };
  const error = keep === "source" ? keptAtSource(stored, runState).toRecord() : null;
  return { kept: { state: outcome, endedMs: nowMs, report, error }, told: error ?? report };
}

function keptAtSource({ id, guest, to }: StoredMigration, runState: string): SojournError {
  return new SojournError(
    "SOJ_RESOLVED_SOURCE",
    `${guest} was not moved to ${to}: an operator kept the guest at the source, where it is left as it was`,
    {
      exitCode: ExitCode.rolledBack,
      guestState: guestStates[runState] ?? "unknown",
      migration: id,
      httpStatus: 409,
      hint: `sojourn guest show ${guest}`,
    },
  );
}

const guestStates: Record<string, GuestState> = {
  running: "running-at-source",
  paused: "paused-at-source",
};

/** Of a migration whose end an earlier daemon did not live to see. */
function reportWithoutFigures(
  { id, guest, from, to, startedMs }: StoredMigration,
  nowMs: number,
): MigrationReport {
  return {
    ...{ type: "report", id, guest, from, to, outcome: "in-doubt" },
    ...{ tunnel: null, timeline: [], blackout_ms: null, total_ms: Math.max(0, nowMs - startedMs) },
    ...{ transferred_bytes: null, clock_offset_ms: null, clock_error_ms: null },
    ...{ packets_dropped: null, probes: {}, guest_clock_step_ms: null, flows: null },
    ...{ budget_ms: null, within_budget: null },
  };
}
