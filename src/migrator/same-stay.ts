import { isDeepStrictEqual } from "node:util";
import type { GuestRecord } from "./records.ts";

/**
 * Whether two records of a guest are of one stay of it at this host: home may have heard of its arrival in between. One that
 * was started anew has another record. Pure.
 */
export function isSameStay(one: GuestRecord, other: GuestRecord): boolean {
  if (one === other) return true;
  const isUntold = one.hosting?.homeUntold !== other.hosting?.homeUntold;
  return isUntold && isDeepStrictEqual(told(one), told(other));
}

/**
 * Whether a guest that has ended here, and of whose process there is none any more, may be forgotten by what is known of it
 * now: of the same stay, or one whose anchor has been another's since. Pure.
 */
export function isStillEnded(known: GuestRecord, ended: GuestRecord): boolean {
  if (isSameStay(known, ended)) return true;
  const isOfHandover = known.home.host !== ended.home.host || known.epoch !== ended.epoch;
  return isOfHandover && known.hosting?.stage === "running" && known.migration === null;
}

function told(record: GuestRecord): GuestRecord {
  if (record.hosting === null) return record;
  const { homeUntold: _untold, ...hosting } = record.hosting;
  return { ...record, hosting };
}
