import type { DatabaseSync } from "node:sqlite";

/**
 * Does work as a whole or not at all.
 * @param synchronous FULL: on disk when it returns; NORMAL: after a power loss, but not after a crash of the process,
 * the newest may be missing (PRAGMA synchronous).
 */
export function inTransaction<Result>(
  database: DatabaseSync,
  synchronous: "FULL" | "NORMAL",
  work: () => Result,
): Result {
  database.exec(`PRAGMA synchronous = ${synchronous}`);
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
