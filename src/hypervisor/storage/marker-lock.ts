import { lstatSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/**
 * How a lock of the other host shows: `held`, as it should; `free`, when the file is shared but its locks are not;
 * `broken`, when this host can lock nothing there; `untried`, when it may not try.
 */
export type LockSight = "held" | "free" | "broken" | "untried";

/** SQLite would otherwise write a journal beside the file. */
const withoutFiles = "PRAGMA journal_mode = MEMORY";

const busy = 5;
const inputOutput = 10;

/**
 * A lock of fcntl(2) on a file, as QEMU's image locks are, by way of SQLite, which locks its databases so ("File Locking
 * And Concurrency In SQLite Version 3"); an empty file is an empty database, and is not written to. Held until
 * disposed of, by this process alone.
 */
export class MarkerLock implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Null when it cannot be had. Readers may still lock it, writers may not (RESERVED). */
  static tryOpen(path: string): MarkerLock | null {
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(path);
      database.exec(withoutFiles);
      database.exec("BEGIN IMMEDIATE");
      return new MarkerLock(database);
    } catch {
      database?.close();
      return null;
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** Whether the lock that another process holds on `path` is seen here. Throws nothing. */
export function seekLock(path: string): LockSight {
  // It would be made where it is missing.
  if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) return "untried";
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path);
    errorCodeOf(database, withoutFiles);
    // A lock for reading, which the other host's leaves room for: without it nothing can be locked here at all.
    const canLock = errorCodeOf(database, "PRAGMA user_version");
    if (canLock !== null) return isLockFailure(canLock) ? "broken" : "untried";
    const canWrite = errorCodeOf(database, "BEGIN IMMEDIATE");
    if (canWrite === null) return "free";
    return isLockFailure(canWrite) ? "held" : "untried";
  } catch {
    return "untried";
  } finally {
    database?.close();
  }
}

/** SQLite takes ENOLCK for a lock that is held. */
function isLockFailure(code: number): boolean {
  return (code & 0xff) === busy || (code & 0xff) === inputOutput;
}

function errorCodeOf(database: DatabaseSync, statement: string): number | null {
  try {
    database.prepare(statement).all();
    return null;
  } catch (error) {
    return (error as { errcode?: number }).errcode ?? 1;
  }
}
