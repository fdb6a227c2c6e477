import { startTimer, type Timer } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";

/** How long a migration that is to end with its caller waits for that caller to follow it. */
const followerDueMs = 10_000;

/** Migrations that are cancelled when nobody follows them any more (`--abort-on-exit`). */
export class Lifelines implements Disposable {
  readonly #cancel: (id: string) => Promise<unknown>;
  readonly #logger: Logger;
  readonly #due = new Map<string, Timer>();

  constructor(cancel: (id: string) => Promise<unknown>, logger: Logger) {
    this.#cancel = cancel;
    this.#logger = logger;
  }

  /** Begun by a caller that must come to follow it. */
  expectFollower(id: string): void {
    this.#due.get(id)?.cancel();
    this.#due.set(
      id,
      startTimer(() => this.lose(id), followerDueMs, false),
    );
  }

  followed(id: string): void {
    this.#due.get(id)?.cancel();
    this.#due.delete(id);
  }

  /** Its follower is gone before its end. */
  lose(id: string): void {
    this.followed(id);
    this.#logger.warn({ migration: id }, "who began it is gone: it is cancelled, as was asked for");
    this.#cancel(id).catch((error: unknown) =>
      this.#logger.warn({ migration: id, err: error }, "too late: the migration goes on"),
    );
  }

  [Symbol.dispose](): void {
    for (const timer of this.#due.values()) timer.cancel();
    this.#due.clear();
  }
}
