import type { MigrationSummary } from "../migrator/stored-migration.ts";
import type { MigrationStatus } from "./services.ts";

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
