import { isNewer } from "../platform/database.ts";
import { preconditionError, type SojournError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import type { History } from "./history.ts";
import { type MigrationQuery, select } from "./migration-query.ts";
import { isOpen, type MigrationSummary, type StoredMigration } from "./stored-migration.ts";

/** Ended migrations that found no room in the history; the oldest beyond this number are forgotten. */
const mostUnwritten = 1_000;

/**
 * What is known of this host's migrations: of those under way in memory, of all others in the history. What finds no
 * room there stays in memory until it does.
 */
export class MigrationBook {
  readonly #history: History;
  readonly #logger: Logger;
  readonly #current = new Map<string, StoredMigration>();
  readonly #unwritten = new Set<string>();

  constructor(history: History, logger: Logger) {
    this.#history = history;
    this.#logger = logger;
  }

  find(id: string): StoredMigration | undefined {
    return this.#current.get(id) ?? this.#history.get(id);
  }

  /** @throws SojournError `SOJ_MIGRATION_UNKNOWN` (404). */
  get(id: string): StoredMigration {
    const stored = this.find(id);
    if (stored !== undefined) return stored;
    throw preconditionError("SOJ_MIGRATION_UNKNOWN", `there is no migration ${id} on this host`, {
      httpStatus: 404,
      hint: "sojourn status",
    });
  }

  /** The migration that a request with this idempotency key began. */
  byKey(key: string): StoredMigration | undefined {
    for (const stored of this.#current.values()) {
      if (stored.idempotency?.key === key) return stored;
    }
    return this.#history.byKey(key);
  }

  /** Those that are meant, newest first. */
  list(query: MigrationQuery): MigrationSummary[] {
    // Of one that is under way the history may still say something else.
    const limit = query.limit + this.#current.size;
    const past = this.#history.list({ ...query, limit }).filter(({ id }) => !this.#current.has(id));
    return select([...past, ...this.#current.values()], query);
  }

  open(): StoredMigration[] {
    const past = this.#history.open().filter(({ id }) => !this.#current.has(id));
    return [...past, ...this.#current.values()].filter(isOpen);
  }

  /**
   * A history that only a later release understands is done without.
   * @throws SojournError `SOJ_HISTORY_UNWRITABLE`: then nothing may be begun.
   */
  begin(stored: StoredMigration): void {
    try {
      this.#history.put(stored);
    } catch (cause) {
      if (!isNewer(cause)) throw unwritable(stored, cause);
      this.#unwritten.add(stored.id);
    }
    this.#current.set(stored.id, stored);
  }

  /** What has happened is told, also where it cannot be written down. */
  keep(stored: StoredMigration): void {
    this.#current.set(stored.id, stored);
    this.#unwritten.add(stored.id);
    this.flush();
  }

  /** In memory only, for one under way: nothing is written while its guest may be stopped. */
  note(id: string, change: Partial<StoredMigration>): void {
    this.#current.set(id, { ...this.get(id), ...change });
  }

  /** The same for one that goes on. */
  reopen(stored: StoredMigration): void {
    this.#current.set(stored.id, { ...stored, endedMs: null, error: null });
  }

  /** Writes what found no room before. */
  flush(): void {
    for (const id of this.#unwritten) {
      const stored = this.#current.get(id);
      try {
        if (stored !== undefined) this.#history.put(stored);
      } catch (error) {
        const text = "alarm: what became of the migration could not be stored";
        this.#logger.error({ migration: id, state: stored?.state, err: error }, text);
        this.#forgetOldest();
        return;
      }
      this.#unwritten.delete(id);
      if (stored?.endedMs !== null) this.#current.delete(id);
    }
  }

  #forgetOldest(): void {
    const ended = [...this.#unwritten].filter((id) => {
      const stored = this.#current.get(id);
      return stored === undefined || !isOpen(stored);
    });
    for (const id of ended.slice(0, -mostUnwritten)) {
      this.#unwritten.delete(id);
      this.#current.delete(id);
    }
  }
}

function unwritable({ guest }: StoredMigration, cause: unknown): SojournError {
  return preconditionError(
    "SOJ_HISTORY_UNWRITABLE",
    `a migration of ${guest} could not be remembered: ${(cause as Error).message}`,
    {
      cause,
      guestState: "untouched",
      hint: "make room on the disk of the daemon's state folder",
    },
  );
}
