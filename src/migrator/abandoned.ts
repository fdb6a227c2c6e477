import { endingError } from "./endings.ts";
import { failureOf } from "./failures.ts";
import type { Journal } from "./journal.ts";
import { alarmOfUnwritten } from "./journal-alarm.ts";
import type { Failure } from "./migration-state.ts";
import type { RecordStore } from "./record-store.ts";
import type { Outcome } from "./report.ts";
import { isPromiseOpen } from "./resumption.ts";
import type { SourceContext } from "./source-context.ts";
import type { StoredMigration } from "./stored-migration.ts";

/** How a migration that an earlier daemon had begun, and of which nothing is left to do here, is told to have ended. */
export function endOfAbandoned(
  {
    journal,
    records,
  }: { journal: Pick<Journal, "has" | "refuseHeld">; records: Pick<RecordStore, "get"> },
  stored: StoredMigration,
  reason: Failure,
): Pick<StoredMigration, "state" | "error"> {
  const ended = (state: Outcome, failure: Failure) => ({
    state,
    error: endingError(state, failure, stored).toRecord(),
  });
  const isTold =
    journal.has(stored.id, "taken-over-by-destination") || journal.has(stored.id, "completed");
  // A full disk may have kept the journal's last records back; then the guest's own record tells where it went.
  const hasLeft = isPromiseOpen(journal, stored.id) && !records.get(stored.guest)?.hosting;
  if (isTold || hasLeft) return { state: "completed", error: null };
  try {
    journal.refuseHeld(stored.guest);
    return ended("rolled-back", reason);
  } catch (error) {
    return ended("in-doubt", failureOf(error, "daemon"));
  }
}

/** So that the journal holds its end too: the daemon that saw it was killed before it could write that. */
export function recordEndOfAbandoned(
  { journal, logger }: Pick<SourceContext, "journal" | "logger">,
  { id, guest, state }: Pick<StoredMigration, "id" | "guest" | "state">,
): void {
  const step = state === "completed" ? "completed" : "undone";
  const { epoch } = journal.recordsOf(id).at(-1) ?? {};
  if (state === "in-doubt" || epoch === undefined || journal.has(id, step)) return;
  const record = { step, migration: id, guest, epoch, role: "source" } as const;
  try {
    journal.append(record);
  } catch (error) {
    alarmOfUnwritten(logger, record, error);
  }
}
