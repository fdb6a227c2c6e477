import type { MigrationSummary } from "./stored-migration.ts";

/**
 * Why nothing is left to decide about a migration, and where its guest went on; null for one that has not ended, or is in
 * doubt. Pure.
 */
export function sentenceOfEnd({
  guest,
  from,
  to,
  state,
  endedMs,
}: MigrationSummary): string | null {
  if (endedMs === null) return null;
  switch (state) {
    case "completed":
      return `the migration is completed, and ${guest} went on at ${to}: nothing is left to decide`;
    case "rolled-back":
    case "cancelled":
      return `the migration is ${state}, and ${guest} went on at ${from}: nothing is left to decide`;
    case "guest-lost":
      return `the migration has ended, and ${guest} was lost with it: nothing is left to decide`;
    default:
      return null;
  }
}
