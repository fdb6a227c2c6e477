import { wallClockMs } from "../../platform/clock.ts";
import { preconditionError } from "../../platform/errors.ts";
import type { Spool } from "./spool.ts";
import { type DeliveryState, type SpooledMessage, spooledMessageOf } from "./spool-rows.ts";
import { inTransaction } from "./transactions.ts";

export interface DeliveryQuery {
  limit: number;
  /** Only those older than this one. */
  before?: number;
  state?: DeliveryState;
}

/** Deliveries of a subscription, those waiting and the newest that are over; newest first. */
export function listDeliveries(
  spool: Spool,
  subscription: string,
  { limit, before, state }: DeliveryQuery,
): SpooledMessage[] {
  const query = `SELECT * FROM messages
    WHERE subscription = ? AND number < ? AND (? IS NULL OR state = ?) ORDER BY number DESC LIMIT ?`;
  const values = [subscription, before ?? Number.MAX_SAFE_INTEGER, state ?? null, state ?? null];
  const rows = spool.use((database) => database.prepare(query).all(...values, limit));
  return rows.map(spooledMessageOf);
}

/**
 * Sends a message again, with its id and as if it were new; one that waits is tried at once.
 * @throws SojournError `SOJ_DELIVERY_UNKNOWN` (404).
 */
export function replayDelivery(spool: Spool, subscription: string, id: string): SpooledMessage {
  const nowMs = wallClockMs();
  const update = `UPDATE messages SET state = 'pending', since_ms = ?, attempts = 0, due_ms = 0, ended_ms = NULL
    WHERE subscription = ? AND id = ? RETURNING *`;
  const row = spool.use((database) => {
    const found = inTransaction(database, "FULL", () =>
      database.prepare(update).get(nowMs, subscription, id),
    );
    spool.room.measure(database);
    return found;
  });
  if (row !== undefined) return spooledMessageOf(row);
  throw preconditionError("SOJ_DELIVERY_UNKNOWN", `there is no delivery ${id.slice(0, 80)}`, {
    httpStatus: 404,
    hint: `sojourn webhook deliveries ${subscription}`,
  });
}
