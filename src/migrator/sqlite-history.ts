import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { asSojournError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import { RepairableDatabase } from "../platform/repairable-database.ts";
import type { History } from "./history.ts";
import type { MigrationQuery } from "./migration-query.ts";
import type { Phase } from "./phases.ts";
import { clausesOf, openCondition } from "./sqlite-query.ts";
import type { MigrationSummary, StoredMigration } from "./stored-migration.ts";

const tables = `
  CREATE TABLE migrations (
    id TEXT PRIMARY KEY,
    guest TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    state TEXT NOT NULL,
    started_ms REAL NOT NULL,
    ended_ms REAL,
    report TEXT,
    error TEXT,
    throughput TEXT,
    idempotency_key TEXT,
    request TEXT
  ) STRICT;
  CREATE INDEX migrations_by_start ON migrations (started_ms);
  CREATE INDEX migrations_by_key ON migrations (idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX migrations_open ON migrations (id) WHERE ended_ms IS NULL OR state = 'in-doubt';`;

/** Ended migrations beyond this number are forgotten, the oldest first. */
const longestHistory = 20_000;

/** Puts between two looks for such ones. */
const forgettingInterval = 256;

const summaryColumns = "id, guest, source, destination, state, started_ms, ended_ms";

type Row = Record<string, SQLOutputValue>;

/**
 * A history in one SQLite file, made when there is none. A damaged one is moved aside, with an alarm in the log, and
 * a new one begun; one that cannot be opened, or is of a later release, is tried again at each use.
 */
export class SqliteHistory implements History {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #longest: number;
  readonly #database: RepairableDatabase;
  #puts = 0;
  /** Why it could not be read last; null when it could. */
  #trouble: string | null = null;

  constructor(path: string, logger: Logger, longest = longestHistory) {
    this.#path = path;
    this.#logger = logger;
    this.#longest = longest;
    const schema = { version: 1, tables };
    this.#database = new RepairableDatabase({ path, schema, name: "the history", logger });
    this.#forget();
  }

  get(id: string): StoredMigration | undefined {
    return this.#one("SELECT * FROM migrations WHERE id = ?", id);
  }

  byKey(key: string): StoredMigration | undefined {
    return this.#one(
      "SELECT * FROM migrations WHERE idempotency_key = ? ORDER BY started_ms DESC",
      key,
    );
  }

  list(query: MigrationQuery): MigrationSummary[] {
    const { text, values } = clausesOf(query);
    const statement = `SELECT ${summaryColumns} FROM migrations ${text}`;
    const rows = this.#read((database) => database.prepare(statement).all(...values), []);
    return rows.map(summaryOf);
  }

  open(): StoredMigration[] {
    const query = `SELECT * FROM migrations WHERE ${openCondition} ORDER BY started_ms`;
    return this.#read((database) => database.prepare(query).all(), []).map(migrationOf);
  }

  put(stored: StoredMigration): void {
    this.#database.use((database) => {
      database
        .prepare("INSERT OR REPLACE INTO migrations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .run(...valuesOf(stored));
    });
    this.#puts += 1;
    if (this.#puts % forgettingInterval === 0) this.#forget();
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }

  #forget(): void {
    this.#read((database) => database.prepare(forgetOldest).run(this.#longest), undefined);
  }

  #one(query: string, value: string): StoredMigration | undefined {
    const row = this.#read((database) => database.prepare(query).get(value), undefined);
    return row === undefined ? undefined : migrationOf(row);
  }

  #read<Result>(work: (database: DatabaseSync) => Result, missing: Result): Result {
    try {
      const result = this.#database.use(work);
      this.#trouble = null;
      return result;
    } catch (error) {
      this.#tellOnce(error);
      return missing;
    }
  }

  /** Those who ask again and again must not fill the log. */
  #tellOnce(error: unknown): void {
    const { message, hint } = asSojournError(error);
    if (message === this.#trouble) return;
    this.#trouble = message;
    const fields = { path: this.#path, err: error, ...(hint === null ? {} : { hint }) };
    this.#logger.error(fields, `alarm: the history cannot be read: ${message}`);
  }
}

const forgetOldest = `
  DELETE FROM migrations WHERE ended_ms IS NOT NULL AND state <> 'in-doubt' AND started_ms <
    (SELECT started_ms FROM migrations ORDER BY started_ms DESC LIMIT 1 OFFSET ? - 1)`;

function valuesOf(stored: StoredMigration) {
  const { id, guest, from, to, state, startedMs, endedMs, idempotency } = stored;
  const json = (value: unknown) => (value ? JSON.stringify(value) : null);
  return [
    ...[id, guest, from, to, state, startedMs, endedMs],
    ...[json(stored.report), json(stored.error), json(stored.throughput)],
    ...[idempotency?.key ?? null, idempotency?.request ?? null],
  ];
}

function summaryOf(row: Row): MigrationSummary {
  return {
    id: String(row.id),
    guest: String(row.guest),
    from: String(row.source),
    to: String(row.destination),
    state: row.state as Phase,
    startedMs: Number(row.started_ms),
    endedMs: row.ended_ms === null ? null : Number(row.ended_ms),
  };
}

function migrationOf(row: Row): StoredMigration {
  const { report, error, throughput, idempotency_key: key, request } = row;
  const idempotency = key === null ? null : { key: String(key), request: String(request) };
  return {
    ...summaryOf(row),
    ...{
      report: parsed(report),
      error: parsed(error),
      throughput: parsed(throughput),
      idempotency,
    },
  };
}

/** SQLite has no checksums: a text that a disk has changed may be none any more. */
function parsed(text: SQLOutputValue | undefined) {
  try {
    return typeof text === "string" ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
