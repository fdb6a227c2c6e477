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

function told(record: GuestRecord): GuestRecord {
  if (record.hosting === null) return record;
  const { homeUntold: _untold, ...hosting } = record.hosting;
  return { ...record, hosting };
}
