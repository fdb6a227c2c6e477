import type { StoredMigration } from "../../migrator/stored-migration.ts";
import { SojournError } from "../../platform/errors.ts";
import { evacuationError } from "./errors.ts";
import type { QueueEvent } from "./queue.ts";

type EndedMigration = Pick<StoredMigration, "state" | "report" | "error">;

/**
 * What the end of a guest's migration means to the evacuation. Pure.
 * @param isLeft an earlier daemon began it: what that daemon's end took back is not the guest's failure.
 */
export function outcomeOf(guest: string, ended: EndedMigration, isLeft: boolean): QueueEvent {
  const { state, report } = ended;
  if (state === "completed") {
    return { type: "moved", guest, blackoutMs: report?.blackout_ms ?? null };
  }
  const thrown = errorOf(ended);
  const error = evacuationError(thrown);
  const isTakenBack = state === "rolled-back" || state === "cancelled";
  if (isTakenBack && isLeft) return { type: "interrupted", guest, error };
  if (state === "cancelled") return { type: "cancelled", guest, error };
  return { type: "failed", guest, error, mayRetry: state === "rolled-back" && thrown.retryable };
}

function errorOf({ state, error }: EndedMigration): SojournError {
  if (error !== null) return SojournError.fromRecord(error, 409);
  return new SojournError("SOJ_INTERNAL", `the migration has ended: ${state}`);
}
