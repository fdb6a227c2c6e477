import type { MigrationQuery } from "./migration-query.ts";
import type { MigrationSummary, StoredMigration } from "./stored-migration.ts";

/**
 * What is remembered of migrations for those who ask later. It informs; journal and guest records decide. Reading
 * never throws: what cannot be read is missing.
 */
export interface History extends Disposable {
  get(id: string): StoredMigration | undefined;
  /** The migration that a request with this idempotency key began. */
  byKey(key: string): StoredMigration | undefined;
  /** Those that are meant, newest first. */
  list(query: MigrationQuery): MigrationSummary[];
  /** Those that are open. */
  open(): StoredMigration[];
  /** Durable when it returns. @throws the disk's or the database's error; then nothing is changed. */
  put(stored: StoredMigration): void;
}
