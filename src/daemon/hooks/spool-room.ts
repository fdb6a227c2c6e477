import type { DatabaseSync } from "node:sqlite";
import type { Logger } from "../../platform/log.ts";
import type { SpoolEntry, SpoolLimits } from "./spool.ts";
import type { SpooledMessage } from "./spool-rows.ts";
import { inTransaction } from "./transactions.ts";

/** Messages that are over are kept for the log and for replay: so many of each subscription. */
const keptMessages = 1_000;

/** Additions and ends between two looks for older ones. */
const trimmingInterval = 64;

interface Used {
  messages: number;
  bytes: number;
}

/**
 * How much of the spool each subscription uses. When one has no room left, the oldest of what matters least is
 * dropped: progress first, then phases, outcomes last.
 */
export class SpoolRoom {
  readonly #limits: SpoolLimits;
  readonly #logger: Logger;
  #used = new Map<string, Used>();
  readonly #dropped = new Map<string, number>();
  #changes = 0;

  constructor(limits: SpoolLimits, logger: Logger) {
    this.#limits = limits;
    this.#logger = logger;
  }

  /** Waiting messages of a subscription. */
  used(subscription: string): Used {
    return this.#used.get(subscription) ?? { messages: 0, bytes: 0 };
  }

  /** How many were dropped for want of room since the daemon's start. */
  dropped(subscription: string): number {
    return this.#dropped.get(subscription) ?? 0;
  }

  /** Counts anew. */
  measure(database: DatabaseSync): void {
    const query = `SELECT subscription, count(*) AS messages, sum(bytes) AS bytes FROM messages
      WHERE state = 'pending' GROUP BY subscription`;
    this.#used = new Map(
      database
        .prepare(query)
        .all()
        .map((row) => [
          String(row.subscription),
          { messages: Number(row.messages), bytes: Number(row.bytes) },
        ]),
    );
  }

  noteAdded(database: DatabaseSync, entries: readonly SpoolEntry[]): void {
    for (const { subscription, message } of entries) {
      this.#change(subscription, 1, Buffer.byteLength(message.body));
    }
    for (const subscription of new Set(entries.map((entry) => entry.subscription))) {
      this.#makeRoom(database, subscription);
    }
    this.#trimNowAndThen(database, entries.length);
  }

  noteEnded(database: DatabaseSync, { subscription, bytes }: SpooledMessage): void {
    this.#change(subscription, -1, -bytes);
    this.#trimNowAndThen(database, 1);
  }

  #change(subscription: string, messages: number, bytes: number): void {
    const used = this.used(subscription);
    this.#used.set(subscription, {
      messages: used.messages + messages,
      bytes: used.bytes + bytes,
    });
  }

  #makeRoom(database: DatabaseSync, subscription: string): void {
    if (!this.#isFull(subscription)) return;
    const dropped = inTransaction(database, "NORMAL", () => {
      const types: string[] = [];
      while (this.#isFull(subscription)) {
        const row = database.prepare(dropLeast).get(subscription);
        if (row === undefined) break;
        types.push(String(row.type));
        this.#change(subscription, -1, -Number(row.bytes));
      }
      return types;
    });
    if (dropped.length === 0) return;
    this.#dropped.set(subscription, this.dropped(subscription) + dropped.length);
    this.#logger.error(
      { webhook: subscription, dropped: dropped.length, types: [...new Set(dropped)] },
      "alarm: the spool is full; messages for this receiver are lost",
    );
  }

  #isFull(subscription: string): boolean {
    const { messages, bytes } = this.used(subscription);
    return messages > this.#limits.messages || bytes > this.#limits.bytes;
  }

  #trimNowAndThen(database: DatabaseSync, changes: number): void {
    this.#changes += changes;
    if (this.#changes < trimmingInterval) return;
    this.#changes = 0;
    const subscriptions = database.prepare("SELECT DISTINCT subscription FROM messages").all();
    inTransaction(database, "NORMAL", () => {
      for (const row of subscriptions) {
        const subscription = String(row.subscription);
        database.prepare(forgetOldest).run(subscription, subscription, keptMessages);
      }
      database.prepare(forgetOldestOutcomes).run();
    });
  }
}

const dropLeast = `DELETE FROM messages WHERE number = (SELECT number FROM messages
  WHERE subscription = ? AND state = 'pending' ORDER BY rank, number LIMIT 1) RETURNING type, bytes`;

const forgetOldest = `DELETE FROM messages WHERE subscription = ? AND state <> 'pending' AND number <
  (SELECT number FROM messages WHERE subscription = ? AND state <> 'pending' ORDER BY number DESC LIMIT 1 OFFSET ?)`;

/** More than the history lists, from which a missing one would be told again. */
const forgetOldestOutcomes = `DELETE FROM told_outcomes WHERE rowid <
  (SELECT rowid FROM told_outcomes ORDER BY rowid DESC LIMIT 1 OFFSET 20000)`;
