import type { DatabaseSync } from "node:sqlite";
import { wallClockMs } from "./clock.ts";
import { type DatabaseSchema, isDamage, moveDatabaseAside, openDatabase } from "./database.ts";
import type { Logger } from "./log.ts";

export interface RepairableDatabaseOptions {
  path: string;
  schema: DatabaseSchema;
  /** What is in it, for the log: "the history". */
  name: string;
  logger: Logger;
}

/**
 * A database that is opened at its first use, and again after a failure to open it. A damaged one is moved aside, with
 * an alarm in the log, and a new one begun; one of a later release is left as it is, and cannot be used. Disposing closes
 * it until it is used again.
 */
export class RepairableDatabase implements Disposable {
  readonly #options: RepairableDatabaseOptions;
  #database: DatabaseSync | null = null;
  /** Called with each database that is opened; `isReplacement` when it stands for a damaged one. */
  onOpened: (database: DatabaseSync, isReplacement: boolean) => void = () => {};

  constructor(options: RepairableDatabaseOptions) {
    this.#options = options;
  }

  /**
   * Does the work, once more with a new database when the one there turns out to be damaged.
   * @throws its error, or as `openDatabase`.
   */
  use<Result>(work: (database: DatabaseSync) => Result): Result {
    try {
      return work(this.#opened(false));
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#moveAside(error);
      return work(this.#opened(true));
    }
  }

  [Symbol.dispose](): void {
    this.#database?.close();
    this.#database = null;
  }

  #opened(isReplacement: boolean): DatabaseSync {
    if (this.#database === null) {
      this.#database = openDatabase(this.#options.path, this.#options.schema);
      try {
        this.onOpened(this.#database, isReplacement);
      } catch (error) {
        // Whoever comes next must not use one that its owner has not seen.
        this[Symbol.dispose]();
        throw error;
      }
    }
    return this.#database;
  }

  #moveAside(reason: unknown): void {
    const { path, name, logger } = this.#options;
    this[Symbol.dispose]();
    const aside = moveDatabaseAside(path, `damaged-${Math.floor(wallClockMs())}`);
    logger.error(
      { path, aside, err: reason },
      `alarm: ${name} was damaged; it is moved aside and a new one begun`,
    );
  }
}
