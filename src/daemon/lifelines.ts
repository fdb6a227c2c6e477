import { startTimer, type Timer } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";

/** How long a migration that is to end with its caller waits for that caller to follow it. */
const followerDueMs = 10_000;

/** Migrations that are cancelled when nobody follows them any more (`--abort-on-exit`). */
export class Lifelines implements Disposable {
  readonly #cancel: (id: string) => Promise<unknown>;
  readonly #logger: Logger;
  readonly #due = new Map<string, Timer>();
  readonly #followers = new Map<string, number>();

  constructor(cancel: (id: string) => Promise<unknown>, logger: Logger) {
    this.#cancel = cancel;
    this.#logger = logger;
  }

  /** Just begun, by a caller that must come to follow it. */
  expectFollower(id: string): void {
    this.#waitNoMore(id);
    this.#due.set(
      id,
      startTimer(() => this.#lose(id), followerDueMs, false),
    );
  }

  followed(id: string): void {
    this.#waitNoMore(id);
    this.#followers.set(id, (this.#followers.get(id) ?? 0) + 1);
  }

  /** One of its followers is gone; before its end, the last one ends it. */
  left(id: string, isOver: boolean): void {
    const others = (this.#followers.get(id) ?? 1) - 1;
    if (others > 0) this.#followers.set(id, others);
    else this.#followers.delete(id);
    if (others <= 0 && !isOver) this.#lose(id);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#due.values()) timer.cancel();
    this.#due.clear();
  }

  #lose(id: string): void {
    this.#waitNoMore(id);
    this.#logger.warn({ migration: id }, "who began it is gone: it is cancelled, as was asked for");
    this.#cancel(id).catch((error: unknown) =>
      this.#logger.warn({ migration: id, err: error }, "too late: the migration goes on"),
    );
  }

  #waitNoMore(id: string): void {
    this.#due.get(id)?.cancel();
    this.#due.delete(id);
  }
}
