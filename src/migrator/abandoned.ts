import { endingError } from "./endings.ts";
import { failureOf } from "./failures.ts";
import type { Journal } from "./journal.ts";
import type { Failure } from "./migration-state.ts";
import type { RecordStore } from "./record-store.ts";
import type { Outcome } from "./report.ts";
import { isPromiseOpen } from "./resumption.ts";
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
