import type { MigrationSummary, StoredMigration } from "../migrator/stored-migration.ts";
import type { MigrationDetail, MigrationStatus } from "./services.ts";

/** A migration as callers see it. Pure. */
export function statusOf(stored: MigrationSummary): MigrationStatus {
  return {
    id: stored.id,
    guest: stored.guest,
    from: stored.from,
    to: stored.to,
    state: stored.state,
    started_ms: stored.startedMs,
    ended_ms: stored.endedMs,
  };
}

/** The same, with why it did not complete. Pure. */
export function detailOf(stored: StoredMigration): MigrationDetail {
  return { ...statusOf(stored), error: stored.error };
}
