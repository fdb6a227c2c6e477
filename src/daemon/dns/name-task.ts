import { addressesOf } from "../../migrator/guest-addresses.ts";
import type { GuestRecord } from "../../migrator/records.ts";
import type { MovedName } from "./moved-names.ts";

/** What is to be done about a guest's name: nothing (null), or to lead it to another address. */
export type NameTask =
  | { kind: "move"; from: string; to: string; migration: string }
  | { kind: "set-back"; from: string; to: string | null; migration: string };

/**
 * Compares where a guest's name leads with where its record says that it should. Pure.
 * @param moved what this host has done with the name; undefined when nothing.
 * @param others the records of the other guests: an address that one of them has by now is not led to.
 */
export function nameTask(
  hostName: string,
  record: GuestRecord | undefined,
  moved: MovedName | undefined,
  others: readonly GuestRecord[],
): NameTask | null {
  const isHome = record?.home.host === hostName;
  const drain = isHome && record.hosting === null ? record.redirect?.drain : undefined;
  if (drain !== undefined && record !== undefined) {
    const isDone = moved?.away === drain.renumbered && drain.nameUpdatedMs !== null;
    const { renumbered: to, migration } = drain;
    const [from] = addressesOf(record);
    return isDone || from === undefined ? null : { kind: "move", from, to, migration };
  }
  if (moved === undefined || isStillAway(record, moved)) return null;
  const isTaken = others.some((other) => addressesOf(other).includes(moved.home));
  const { away: from, home, migration } = moved;
  return { kind: "set-back", from, to: isTaken ? null : home, migration };
}

/** It runs at the other host, arrives from there just now, or has left for good. */
function isStillAway(record: GuestRecord | undefined, { away }: MovedName): boolean {
  if (record === undefined) return false;
  return record.redirect?.drain?.renumbered === away || record.departed?.renumbered === away;
}
