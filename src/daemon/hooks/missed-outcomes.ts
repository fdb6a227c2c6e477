import type { Phase } from "../../migrator/phases.ts";
import { outcomes } from "../../migrator/report.ts";
import type { MigrationSummary, StoredMigration } from "../../migrator/stored-migration.ts";
import { statusOf } from "../migration-status.ts";
import type { HookFeedEvent } from "./feed-source.ts";

/** The newest migrations that are looked at. */
const lookedAt = 500;

/** An end that has just come may be on its way still. */
const onItsWayMs = 5_000;

/** The migrations that this host remembers. */
export interface RememberedMigrations {
  /** The `limit` newest that are in one of these states. */
  list(query: { states: readonly Phase[]; limit: number }): MigrationSummary[];
  get(id: string): StoredMigration;
}

/**
 * Ends of migrations, oldest first, that were never told of: a daemon that was killed had no time to, or they were
 * found out about, or decided, later.
 * @param isTold whether an outcome was told of, or need not be.
 */
export function missedOutcomes(
  migrations: RememberedMigrations,
  isTold: (summary: MigrationSummary) => boolean,
  nowMs: number,
): HookFeedEvent[] {
  return migrations
    .list({ states: outcomes, limit: lookedAt })
    .filter((summary) => {
      const { endedMs } = summary;
      return endedMs !== null && endedMs <= nowMs - onItsWayMs && !isTold(summary);
    })
    .toSorted((left, right) => (left.endedMs ?? 0) - (right.endedMs ?? 0))
    .map(({ id }) => endOf(migrations.get(id)));
}

function endOf(stored: StoredMigration): HookFeedEvent {
  return {
    wallClockMs: stored.endedMs ?? stored.startedMs,
    migration: statusOf(stored),
    event: stored.error ?? stored.report,
  };
}
