import { wallClockMs } from "../platform/clock.ts";
import { endingError } from "./endings.ts";
import type { MigrationState } from "./migration-state.ts";
import { reportOf } from "./report-of.ts";
import type { SourceContext } from "./source-context.ts";
import type { SourceMigration } from "./source-migration.ts";
import type { StoredMigration, StreamEvent } from "./stored-migration.ts";

/** How a migration has ended: what is kept of it, and the last thing that its followers are told. */
export interface MigrationEnd {
  kept: Pick<StoredMigration, "state" | "endedMs" | "report" | "error">;
  told: StreamEvent;
}

/**
 * @param budgetMs longest outage that is within budget.
 * @param earlier what an earlier daemon, or an earlier end, left of the same migration.
 */
export function migrationEnd(
  { host, journal, logger }: Pick<SourceContext, "host" | "journal" | "logger">,
  { task, facts }: Pick<SourceMigration, "task" | "facts">,
  { outcome, failure }: Extract<MigrationState, { name: "ended" }>,
  budgetMs: number | null,
  earlier: StoredMigration | undefined,
): MigrationEnd {
  const error = failure === null ? null : endingError(outcome, failure, task);
  const failed = outcome === "completed" ? null : (error?.toRecord() ?? null);
  if (outcome === "completed" && error !== null) {
    logger.error({ migration: task.id, err: error }, "completed, but not cleaned up");
  }
  // One that was completed before and only had to be cleaned up after keeps its report.
  const known = outcome === "completed" && earlier?.state === outcome ? earlier.report : null;
  const resolved = journal.resolutionOf(task.id);
  const report = known ?? reportOf(host.name, task, facts, outcome, budgetMs, resolved);
  const ended = { state: outcome, endedMs: wallClockMs(), report, error: failed };
  // What was told once stands, though the guest may have ended since.
  const kept = earlier !== undefined && isCertain(earlier) ? earlier : ended;
  return { kept, told: failed ?? report };
}

/** True for one that was told to have ended, and how. */
function isCertain({ endedMs, state }: StoredMigration): boolean {
  return endedMs !== null && state !== "in-doubt";
}
