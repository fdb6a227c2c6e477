import { chmodSync, existsSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { hasCode, preconditionError } from "./errors.ts";
import { syncFolder } from "./files.ts";

/** Primary result codes of sqlite3.h: the file is malformed, or no database at all. */
const damageCodes = new Set([11, 26]);

/** The tables of a database. */
export interface DatabaseSchema {
  /** Of the tables, in `PRAGMA user_version`. */
  version: number;
  /** SQL that makes them in an empty database. */
  tables: string;
}

/**
 * Opens, or makes, a SQLite database that only this process uses, and no other user may read. Each transaction is on
 * disk when it returns: the write-ahead log with `synchronous=FULL` costs one fsync, a rollback journal two or three.
 * The log is kept short, and without shared memory, since there is no second reader.
 * @throws the system's or SQLite's error; `DamagedDatabase`, see `isDamage`; SojournError `SOJ_DATABASE_NEWER` for tables
 *   of a later version, which are left as they are, see `isNewer`.
 */
export function openDatabase(path: string, schema: DatabaseSchema): DatabaseSync {
  const isNew = !existsSync(path);
  const database = new DatabaseSync(path);
  try {
    // Before there is a log, which gets the same mode.
    chmodSync(path, 0o600);
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    refuseNewer(database, path, schema);
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA wal_autocheckpoint = 64");
    database.exec("PRAGMA journal_size_limit = 262144");
    const [verdict] = database.prepare("PRAGMA quick_check(1)").all();
    if (verdict?.quick_check !== "ok") throw new DamagedDatabase(String(verdict?.quick_check));
    makeTables(database, schema);
    if (isNew) syncFolder(dirname(path));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What is in the file cannot be used. */
export class DamagedDatabase extends Error {}

/** True when the file itself is wrong, false for a disk that is full or cannot be read. */
export function isDamage(error: unknown): boolean {
  if (error instanceof DamagedDatabase) return true;
  const { errcode } = error as { errcode?: number };
  return errcode !== undefined && damageCodes.has(errcode & 0xff);
}

/** True for a file that is whole, and that only a later release understands. */
export function isNewer(error: unknown): boolean {
  return hasCode(error, "SOJ_DATABASE_NEWER");
}

/** Puts a closed database, with its log, beside where it was, so that a new one can be begun. Returns the new path. */
export function moveDatabaseAside(path: string, suffix: string): string {
  for (const part of ["", "-wal", "-shm", "-journal"]) {
    if (existsSync(path + part)) renameSync(path + part, `${path}.${suffix}${part}`);
  }
  syncFolder(dirname(path));
  return `${path}.${suffix}`;
}

/** Before anything else is looked at, for whoever tries again and again. */
function refuseNewer(database: DatabaseSync, path: string, { version }: DatabaseSchema): void {
  const found = versionOf(database);
  if (found <= version) return;
  throw preconditionError(
    "SOJ_DATABASE_NEWER",
    `${path} was written by a later release (version ${found}, here ${version}); it is left as it is`,
    {
      httpStatus: 503,
      hint: `upgrade this host again, or do without what is in it: stop the daemon, mv ${path} ${path}.later, and start it`,
    },
  );
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.user_version);
}

function makeTables(database: DatabaseSync, { version, tables }: DatabaseSchema): void {
  const found = versionOf(database);
  if (found === version) return;
  if (found !== 0) throw new DamagedDatabase(`version ${found} is not known to this release`);
  database.exec(`BEGIN; ${tables} PRAGMA user_version = ${version}; COMMIT;`);
}
