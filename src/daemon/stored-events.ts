import type { Phase } from "../migrator/phases.ts";
import type { StoredMigration } from "../migrator/stored-migration.ts";
import { type ErrorRecord, ExitCode, SojournError } from "../platform/errors.ts";
import type { FollowedEvent, GapEvent, MigrationEvent } from "./services.ts";

/**
 * The events of a migration that has ended and of which only the history tells: its report's timeline, then the
 * result. Pure.
 * @param afterId of the last that the reader has; one that is none of these is answered with a gap first.
 */
export function storedEvents(stored: StoredMigration, afterId?: string): FollowedEvent[] {
  const all = [...phasesOf(stored), resultOf(stored)].map(
    (event, index): FollowedEvent => ({ id: `stored-${stored.endedMs ?? 0}-${index}`, event }),
  );
  if (afterId === undefined) return all;
  const position = all.findIndex(({ id }) => id === afterId);
  if (position !== -1) return all.slice(position + 1);
  return [{ id: null, event: gapEvent("other-daemon") }, ...all];
}

/** What a reader is told where events are missing. */
export function gapEvent(reason: GapEvent["reason"]): GapEvent {
  const what = {
    "too-old": "events since the last one that was read are not kept any more",
    "other-daemon":
      "the event that was named is not one of this daemon's, which may have restarted",
  };
  return {
    type: "gap",
    reason,
    message: what[reason],
    hint: "all that is known follows; GET /v1/migrations/ID tells how each migration stands",
  };
}

function phasesOf({ id, report, startedMs }: StoredMigration): MigrationEvent[] {
  return (report?.timeline ?? []).map((entry) => ({
    ...{ type: "phase", id, ...entry },
    wall_clock_ms: startedMs + entry.at_ms,
  }));
}

function resultOf(stored: StoredMigration): MigrationEvent {
  return stored.error ?? stored.report ?? unexplained(stored);
}

/** One that an operator has ended, or of which a damaged history has lost the report. */
function unexplained({ id, state }: StoredMigration): ErrorRecord {
  const exitCode = exitCodes[state] ?? ExitCode.internal;
  const hint = `sojourn status ${id}`;
  const message = `migration ${id} is ${state}; it has no report`;
  return new SojournError("SOJ_NO_REPORT", message, { exitCode, migration: id, hint }).toRecord();
}

const exitCodes: Partial<Record<Phase, ExitCode>> = {
  completed: ExitCode.done,
  "rolled-back": ExitCode.rolledBack,
  "in-doubt": ExitCode.inDoubt,
  cancelled: ExitCode.cancelled,
  "guest-lost": ExitCode.guestLost,
};
