import type { StoredMigration } from "../../migrator/stored-migration.ts";
import { hasCode, SojournError } from "../../platform/errors.ts";
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
  return { type: "failed", guest, error, mayRetry: state === "rolled-back" && mayRetry(thrown) };
}

/**
 * Whether the same may succeed later, or to another destination. Somebody else who moves the guest just now may have done so
 * when its turn comes once more; a destination that has gone into maintenance meanwhile is not the only one. Pure.
 */
export function mayRetry(error: SojournError): boolean {
  return (
    error.retryable || hasCode(error, "SOJ_GUEST_BUSY") || hasCode(error, "SOJ_HOST_MAINTENANCE")
  );
}

function errorOf({ state, error }: EndedMigration): SojournError {
  if (error !== null) return SojournError.fromRecord(error, 409);
  return new SojournError("SOJ_INTERNAL", `the migration has ended: ${state}`);
}
