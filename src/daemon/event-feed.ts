import { randomBytes } from "node:crypto";
import { wallClockMs } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";
import { EventHistory, isAfterEnd, isEnd } from "./event-history.ts";
import type { MigrationEvent, MigrationStatus } from "./services.ts";

/** An event of one of this host's migrations, and what that migration is since. */
export interface FeedEvent {
  /** Grows with time; of use to `follow` until the daemon ends. */
  id: string;
  wallClockMs: number;
  migration: MigrationStatus;
  event: MigrationEvent;
}

/** Stands where events are missing, before what is known. */
export interface FeedGap {
  gap: "too-old" | "other-daemon";
}

/** Events of the whole host that are kept for readers that come back. */
const keptEvents = 10_000;

/** Migrations whose events are kept after their end. */
const keptMigrations = 64;

/** Of each migration; more are progress of long ones. */
const keptOfMigration = 2_000;

/**
 * What happens to this host's migrations, for whoever wants to know: event streams, webhooks, metrics. Bounded in
 * memory; nothing of it survives the daemon.
 */
export class EventFeed {
  readonly #run = randomBytes(4).toString("hex");
  readonly #logger: Logger;
  readonly #all = new EventHistory(keptEvents);
  readonly #byMigration = new Map<string, EventHistory>();
  readonly #listeners = new Set<(event: FeedEvent) => void>();
  #sequence = 0;
  readonly #waiting = new Set<() => void>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Id of the newest event: `follow` after it begins with the next. */
  get lastId(): string {
    return `${this.#run}-${this.#sequence}`;
  }

  publish({ migration, event }: Pick<FeedEvent, "migration" | "event">): FeedEvent {
    this.#sequence += 1;
    const published = { id: this.lastId, wallClockMs: wallClockMs(), migration, event };
    this.#all.add(this.#sequence, published);
    // What a migration's own stream ends with is its result.
    if (!isAfterEnd(event)) this.#historyOf(migration.id).add(this.#sequence, published);
    if (isEnd(event)) this.#forgetOldest();
    for (const listener of this.#listeners) this.#tell(listener, published);
    for (const wake of [...this.#waiting]) wake();
    return published;
  }

  /** Calls `listener` at once for every event; it must be quick. What it throws is only logged. */
  subscribe(listener: (event: FeedEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** All events after the one named, or from now on, until `signal` fires; what is missing is told. */
  follow(signal: AbortSignal, afterId: string = this.lastId): AsyncGenerator<FeedEvent | FeedGap> {
    return this.#follow(() => this.#all, signal, afterId, null);
  }

  /** Whether something is known here of this migration. */
  knows(id: string): boolean {
    return this.#byMigration.has(id);
  }

  /**
   * Events of one migration that is under way or known here: past ones first, or those after the one named. The
   * first result after that, a report or an error, is the last; after it there are none unless `isRunning`.
   */
  followMigration(
    id: string,
    signal: AbortSignal,
    afterId?: string,
    isRunning: () => boolean = () => true,
  ): AsyncGenerator<FeedEvent | FeedGap> {
    return this.#follow(() => this.#byMigration.get(id), signal, afterId, isRunning);
  }

  async *#follow(
    history: () => EventHistory | undefined,
    signal: AbortSignal,
    afterId: string | undefined,
    isRunning: (() => boolean) | null,
  ): AsyncGenerator<FeedEvent | FeedGap> {
    let after = afterId === undefined ? null : this.#sequenceOf(afterId);
    if (after === undefined) yield { gap: "other-daemon" };
    let toldOf = 0;
    for (; !signal.aborted; await this.#change(signal)) {
      const known = history();
      if (known === undefined) continue;
      if (after === null || after === undefined) {
        after = isRunning === null ? 0 : known.attempt;
        toldOf = known.droppedUpTo;
      }
      while (known.newest > after) {
        if (known.droppedUpTo > Math.max(after, toldOf)) yield { gap: "too-old" };
        toldOf = known.droppedUpTo;
        for (const [sequence, event] of known.after(after)) {
          yield event;
          if (signal.aborted || (isRunning !== null && isEnd(event.event))) return;
          after = sequence;
        }
      }
      if (known.isEnded && isRunning?.() === false) return;
    }
  }

  /** Resolves at the next event, or when `signal` fires. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
      if (signal.aborted) wake();
    });
  }

  #historyOf(id: string): EventHistory {
    const known = this.#byMigration.get(id) ?? new EventHistory(keptOfMigration);
    // The one with the newest event is the last to be forgotten.
    this.#byMigration.delete(id);
    this.#byMigration.set(id, known);
    return known;
  }

  #forgetOldest(): void {
    const ended = [...this.#byMigration].filter(([, history]) => history.isEnded);
    for (const [id] of ended.slice(0, -keptMigrations)) this.#byMigration.delete(id);
  }

  /** Undefined for an id that this feed has not given. */
  #sequenceOf(id: string): number | undefined {
    const [, run, digits] = /^([0-9a-f]{8})-(\d{1,15})$/.exec(id) ?? [];
    const sequence = Number(digits);
    return run === this.#run && sequence <= this.#sequence ? sequence : undefined;
  }

  #tell(listener: (event: FeedEvent) => void, event: FeedEvent): void {
    try {
      listener(event);
    } catch (error) {
      this.#logger.error({ event: event.id, err: error }, "a listener of the event feed failed");
    }
  }
}
