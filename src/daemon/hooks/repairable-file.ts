import type { DatabaseSync } from "node:sqlite";
import { wallClockMs } from "../../platform/clock.ts";
import { isDamage, moveDatabaseAside } from "../../platform/database.ts";
import { SojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";

/**
 * A database file that is opened at its first use, and again after a failure to open it. A damaged one is moved aside,
 * with an alarm in the log, and a new one begun.
 */
export class RepairableFile implements Disposable {
  readonly #path: string;
  readonly #open: (path: string) => DatabaseSync;
  readonly #logger: Logger;
  #database: DatabaseSync | null = null;
  #isDisposed = false;
  /** Called with each new database; `isReplacement` when it stands for a damaged one. */
  onOpened: (database: DatabaseSync, isReplacement: boolean) => void = () => {};

  constructor(path: string, open: (path: string) => DatabaseSync, logger: Logger) {
    this.#path = path;
    this.#open = open;
    this.#logger = logger;
  }

  /**
   * Does the work, once more with a new database when the one there turns out to be damaged.
   * @throws its error; SojournError `SOJ_NOT_READY` once disposed of.
   */
  use<Result>(work: (database: DatabaseSync) => Result): Result {
    try {
      return work(this.#opened(false));
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#close();
      const aside = moveDatabaseAside(this.#path, `damaged-${Math.floor(wallClockMs())}`);
      this.#logger.error(
        { path: this.#path, aside, err: error },
        "alarm: the spool of hooks was damaged; it is moved aside and a new one begun",
      );
      return work(this.#opened(true));
    }
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#close();
  }

  #close(): void {
    this.#database?.close();
    this.#database = null;
  }

  #opened(isReplacement: boolean): DatabaseSync {
    if (this.#isDisposed) {
      throw new SojournError("SOJ_NOT_READY", "the daemon is ending", {
        ...{ exitCode: 7, httpStatus: 503, retryable: true },
      });
    }
    if (this.#database === null) {
      this.#database = this.#open(this.#path);
      this.onOpened(this.#database, isReplacement);
    }
    return this.#database;
  }
}
