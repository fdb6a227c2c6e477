import type { Phase } from "./phases.ts";
import { isOpen, type MigrationSummary } from "./stored-migration.ts";

/** Which migrations are meant; all conditions hold together. Times are wall clock, milliseconds since 1970. */
export interface MigrationFilter {
  guest?: string;
  from?: string;
  to?: string;
  /** In one of these states. */
  states?: readonly Phase[];
  /** Those that have not ended or are in doubt, or all others. */
  isOpen?: boolean;
  /** Begun at this time or later. */
  sinceMs?: number;
  /** Begun before this time. */
  untilMs?: number;
}

/** The `limit` newest of those that are meant. */
export interface MigrationQuery extends MigrationFilter {
  limit: number;
  /** Only those after this one, newest first. */
  after?: Pick<MigrationSummary, "startedMs" | "id">;
}

/** Those that are meant, newest first; of two that began at once the one with the greater id first. Pure. */
export function select<Summary extends MigrationSummary>(
  summaries: readonly Summary[],
  query: MigrationQuery,
): Summary[] {
  return summaries
    .filter((summary) => isMeant(summary, query))
    .toSorted(newestFirst)
    .slice(0, query.limit);
}

function isMeant(summary: MigrationSummary, query: MigrationQuery): boolean {
  const { guest, from, to, states, sinceMs, untilMs, after } = query;
  return (
    (guest === undefined || guest === summary.guest) &&
    (from === undefined || from === summary.from) &&
    (to === undefined || to === summary.to) &&
    (states === undefined || states.includes(summary.state)) &&
    (query.isOpen === undefined || query.isOpen === isOpen(summary)) &&
    (sinceMs === undefined || summary.startedMs >= sinceMs) &&
    (untilMs === undefined || summary.startedMs < untilMs) &&
    (after === undefined || newestFirst(after, summary) < 0)
  );
}

type Place = Pick<MigrationSummary, "startedMs" | "id">;

function newestFirst(left: Place, right: Place): number {
  return right.startedMs - left.startedMs || (left.id < right.id ? 1 : left.id > right.id ? -1 : 0);
}
