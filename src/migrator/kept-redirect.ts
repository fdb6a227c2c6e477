import { wallClockMs } from "../platform/clock.ts";
import type { Drain, GuestRecord, Renumbering } from "./records.ts";

/** A record whose guest is about to leave, or has left. */
type Leaving = Pick<GuestRecord, "outgoing" | "migration">;

/**
 * Home's redirect to `host`, to which a prepared migration has brought the guest; it drains when the guest was renumbered.
 * A function of what is stored, so that a restarted daemon makes the same one. Pure but for the clock.
 */
export function keptRedirect(
  { outgoing, migration }: Leaving,
  host: string,
): NonNullable<GuestRecord["redirect"]> | null {
  if (outgoing === null) return null;
  const { tunnel, renumbering } = outgoing;
  if (renumbering === undefined || migration === null) return { host, tunnel };
  return { host, tunnel, drain: begunDrain(migration.id, renumbering) };
}

/** The drain of a redirect whose guest was renumbered just now. Pure but for the clock. */
export function begunDrain(migration: string, renumbering: Renumbering): Drain {
  const { updatesName, ...limits } = renumbering;
  const begunMs = wallClockMs();
  return { migration, begunMs, nameUpdatedMs: updatesName ? null : begunMs, ...limits };
}
