import { isOpen, type MigrationSummary, type StoredMigration } from "./stored-migration.ts";

/**
 * What is remembered of migrations for those who ask later. It informs; journal and guest records decide. Reading
 * never throws: what cannot be read is missing.
 */
export interface History extends Disposable {
  get(id: string): StoredMigration | undefined;
  /** The migration that a request with this idempotency key began. */
  byKey(key: string): StoredMigration | undefined;
  /** Those that are open, and the `limit` newest of all; newest first. */
  list(limit: number): MigrationSummary[];
  /** Those that are open. */
  open(): StoredMigration[];
  /** Durable when it returns. @throws the disk's or the database's error; then nothing is changed. */
  put(stored: StoredMigration): void;
}

/** The `limit` newest and all that are open, newest first. Pure. */
export function newestFirst<Summary extends MigrationSummary>(
  summaries: readonly Summary[],
  limit: number,
): Summary[] {
  return summaries
    .toSorted((left, right) => right.startedMs - left.startedMs)
    .filter((summary, index) => index < limit || isOpen(summary));
}
