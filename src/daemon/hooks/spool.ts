import type { DatabaseSync, StatementSync } from "node:sqlite";
import { wallClockMs } from "../../platform/clock.ts";
import { SojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { RepairableDatabase } from "../../platform/repairable-database.ts";
import type { GuestFacts, HookMessage } from "./payload.ts";
import { SpoolRoom } from "./spool-room.ts";
import { type DeliveryState, type SpooledMessage, spooledMessageOf } from "./spool-rows.ts";
import { spoolSchema } from "./spool-schema.ts";
import { inTransaction } from "./transactions.ts";

/** Attempts after which a message no longer holds those behind it up. */
export const attemptsAtHead = 8;

/** A clock that was set back must not hold a message for longer than this. */
const longestDueMs = 1_200_000;

/** What was told before a spool was damaged is told again, as far back as this. */
const toldAgainMs = 24 * 3_600_000;

/** A message and who is to get it. */
export interface SpoolEntry {
  subscription: string;
  /** Messages of one lane are sent one after the other. */
  lane: string;
  message: HookMessage;
}

/** What is remembered together with messages, so that nothing is told twice or never. */
export interface SpoolMarks {
  outcomes: { migration: string; outcome: string }[];
  /** Guests that have come (facts) or gone (null). */
  guests: { guest: string; facts: GuestFacts | null }[];
}

/** What an attempt came to. */
export interface Attempt {
  state: DeliveryState;
  /** HTTP status or exit code; null when there was none. */
  status: number | null;
  error: string | null;
  /** Wall clock; when a message that no longer holds others up is tried again. */
  dueMs: number;
}

export interface SpoolLimits {
  /** Of each subscription, waiting. */
  messages: number;
  bytes: number;
}

/** Messages for hooks, on disk until they are received, bounded for each subscription. */
export class Spool implements Disposable {
  readonly room: SpoolRoom;
  readonly #database: RepairableDatabase;
  #isReplacement = false;
  #isDisposed = false;

  constructor(path: string, limits: SpoolLimits, logger: Logger) {
    this.room = new SpoolRoom(limits, logger);
    const options = { path, schema: spoolSchema, name: "the spool of hooks", logger };
    this.#database = new RepairableDatabase(options);
    this.#database.onOpened = (database, isReplacement) => {
      this.#isReplacement ||= isReplacement;
      this.room.measure(database);
    };
  }

  /** Durable when it returns; what is there already is left as it is. @throws the disk's or the database's error. */
  add(entries: readonly SpoolEntry[], marks: SpoolMarks, nowMs: number = wallClockMs()): void {
    this.use((database) => {
      const added = inTransaction(database, "FULL", () => {
        mark(database, marks);
        const statement = database.prepare(insertion);
        return entries.filter((entry) => insert(statement, entry, nowMs));
      });
      this.room.noteAdded(database, added);
    });
  }

  /** Lanes in which messages wait. */
  lanes(subscription: string): string[] {
    const query = "SELECT DISTINCT lane FROM messages WHERE subscription = ? AND state = 'pending'";
    return this.use((database) => database.prepare(query).all(subscription)).map((row) =>
      String(row.lane),
    );
  }

  /**
   * The oldest that waits, of those with a number above `after`, except that one which has failed often may have to wait
   * for its time. Null when none waits; milliseconds until the next is due when all have to.
   */
  next(
    subscription: string,
    lane: string,
    after = 0,
    nowMs = wallClockMs(),
  ): SpooledMessage | number | null {
    const pending =
      "FROM messages WHERE subscription = ? AND lane = ? AND state = 'pending' AND number > ?";
    const isDue = "(attempts < ? OR due_ms <= ? OR due_ms > ?)";
    return this.use((database) => {
      const found = database
        .prepare(`SELECT * ${pending} AND ${isDue} ORDER BY number LIMIT 1`)
        .get(subscription, lane, after, attemptsAtHead, nowMs, nowMs + longestDueMs);
      if (found !== undefined) return spooledMessageOf(found);
      const later = database
        .prepare(`SELECT min(due_ms) AS due_ms ${pending}`)
        .get(subscription, lane, after)?.due_ms;
      return typeof later === "number" ? later - nowMs : null;
    });
  }

  /** After a power loss an attempt may be forgotten, and is made again. */
  note(message: SpooledMessage, { state, status, error, dueMs }: Attempt): void {
    const nowMs = wallClockMs();
    const endedMs = state === "pending" ? null : nowMs;
    const update = `UPDATE messages SET state = ?, status = ?, error = ?, due_ms = ?, attempted_ms = ?, ended_ms = ?,
      attempts = attempts + 1 WHERE number = ? AND state = 'pending'`;
    this.use((database) => {
      const { changes } = inTransaction(database, "NORMAL", () =>
        database.prepare(update).run(state, status, error, dueMs, nowMs, endedMs, message.number),
      );
      if (state !== "pending" && changes > 0) this.room.noteEnded(database, message);
    });
  }

  /**
   * Gives up what has waited since before `sinceMs` (wall clock) and was tried `attempts` times; returns how many these
   * were.
   */
  giveUp(subscription: string, lane: string, sinceMs: number, attempts: number): number {
    const which =
      "subscription = ? AND lane = ? AND state = 'pending' AND since_ms < ? AND attempts >= ?";
    return this.use((database) => {
      const { changes } = inTransaction(database, "NORMAL", () =>
        database
          .prepare(`UPDATE messages SET state = 'dead', ended_ms = ? WHERE ${which}`)
          .run(wallClockMs(), subscription, lane, sinceMs, attempts),
      );
      if (changes > 0) this.room.measure(database);
      return Number(changes);
    });
  }

  /** Since when a subscription is to be told of outcomes: from now on when it is new. Wall clock, milliseconds. */
  since(subscription: string, nowMs: number = wallClockMs()): number {
    return this.use((database) => {
      const sinceMs = this.#isReplacement ? nowMs - toldAgainMs : nowMs;
      database
        .prepare("INSERT OR IGNORE INTO subscriptions_since VALUES (?, ?)")
        .run(subscription, sinceMs);
      const query = "SELECT since_ms FROM subscriptions_since WHERE subscription = ?";
      return Number(database.prepare(query).get(subscription)?.since_ms);
    });
  }

  isTold(migration: string, outcome: string): boolean {
    const query = "SELECT 1 FROM told_outcomes WHERE migration = ? AND outcome = ?";
    return this.use((database) => database.prepare(query).get(migration, outcome)) !== undefined;
  }

  /** The guests of which was told that they are here. */
  presentGuests(): Map<string, GuestFacts> {
    const rows = this.use((database) => database.prepare("SELECT * FROM present_guests").all());
    return new Map(rows.map((row) => [String(row.guest), JSON.parse(String(row.facts))]));
  }

  /** Forgets a subscription with all its messages. */
  remove(subscription: string): void {
    this.use((database) => {
      inTransaction(database, "FULL", () => {
        for (const table of ["messages", "subscriptions_since"]) {
          database.prepare(`DELETE FROM ${table} WHERE subscription = ?`).run(subscription);
        }
      });
      this.room.measure(database);
    });
  }

  /**
   * Forgets what has waited since before `sinceMs` (wall clock) for subscriptions that are no more; returns how much that
   * was.
   */
  removeOthers(subscriptions: readonly string[], sinceMs: number): number {
    const names = JSON.stringify(subscriptions);
    const query = `DELETE FROM messages WHERE state = 'pending' AND since_ms < ?
      AND subscription NOT IN (SELECT value FROM json_each(?))`;
    return this.use((database) => {
      const { changes } = database.prepare(query).run(sinceMs, names);
      if (changes > 0) this.room.measure(database);
      return Number(changes);
    });
  }

  /** For what is only read, or written by the delivery log. @throws SojournError `SOJ_NOT_READY` once disposed of. */
  use<Result>(work: (database: DatabaseSync) => Result): Result {
    if (!this.#isDisposed) return this.#database.use(work);
    throw new SojournError("SOJ_NOT_READY", "the daemon is ending", {
      ...{ exitCode: 7, httpStatus: 503, retryable: true },
    });
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#database[Symbol.dispose]();
  }
}

function mark(database: DatabaseSync, { outcomes, guests }: SpoolMarks): void {
  for (const { migration, outcome } of outcomes) {
    database.prepare("INSERT OR IGNORE INTO told_outcomes VALUES (?, ?)").run(migration, outcome);
  }
  for (const { guest, facts } of guests) {
    if (facts === null) {
      database.prepare("DELETE FROM present_guests WHERE guest = ?").run(guest);
    } else {
      const text = JSON.stringify(facts);
      database.prepare("INSERT OR REPLACE INTO present_guests VALUES (?, ?)").run(guest, text);
    }
  }
}

const insertion = `INSERT OR IGNORE INTO messages
  (subscription, lane, id, type, rank, guest, migration, body, bytes, state, created_ms, since_ms)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)`;

/** False for a message that is there already. */
function insert(
  statement: StatementSync,
  { subscription, lane, message }: SpoolEntry,
  nowMs: number,
): boolean {
  const { id, type, rank, guest, migration, body } = message;
  const { changes } = statement.run(
    ...[subscription, lane, id, type, rank, guest, migration, body],
    ...[Buffer.byteLength(body), nowMs, nowMs],
  );
  return changes > 0;
}
