import type { SQLOutputValue } from "node:sqlite";

export const deliveryStates = ["pending", "delivered", "dead"] as const;

/** `dead`: given up; it can be replayed. */
export type DeliveryState = (typeof deliveryStates)[number];

/** A message in the spool. */
export interface SpooledMessage {
  /** Grows with each message of the spool. */
  number: number;
  subscription: string;
  id: string;
  type: string;
  guest: string;
  migration: string | null;
  body: string;
  bytes: number;
  state: DeliveryState;
  attempts: number;
  /** Wall clock, milliseconds since 1970, as the others. */
  createdMs: number;
  attemptedMs: number | null;
  endedMs: number | null;
  /** Of the last attempt: HTTP status or exit code. */
  status: number | null;
  error: string | null;
}

export function spooledMessageOf(row: Record<string, SQLOutputValue>): SpooledMessage {
  const orNull = (value: SQLOutputValue | undefined) => (value === null ? null : Number(value));
  return {
    number: Number(row.number),
    subscription: String(row.subscription),
    id: String(row.id),
    type: String(row.type),
    guest: String(row.guest),
    migration: row.migration === null ? null : String(row.migration),
    body: String(row.body),
    bytes: Number(row.bytes),
    state: row.state as DeliveryState,
    attempts: Number(row.attempts),
    createdMs: Number(row.created_ms),
    attemptedMs: orNull(row.attempted_ms),
    endedMs: orNull(row.ended_ms),
    status: orNull(row.status),
    error: row.error === null ? null : String(row.error),
  };
}
