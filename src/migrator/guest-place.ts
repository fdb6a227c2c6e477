import { preconditionError, type SojournError } from "../platform/errors.ts";
import type { GuestRecord } from "./records.ts";

/** What this host does with a guest's process. */
export type GuestActivity = "starting" | "running" | "none";

/** Where a guest is as far as this host knows, as the end of a sentence. Pure. */
export function placeOf(
  record: GuestRecord | undefined,
  host: string,
  activity: GuestActivity = "running",
): string {
  if (activity === "starting") return `is just being started on ${host}`;
  if (record !== undefined && hasEnded(record, activity)) {
    const { home } = record;
    return home.host === host
      ? `has ended on ${host}, which still clears up after it`
      : `has ended on ${host}, and ${home.host}, its home, has not been told so yet`;
  }
  if (record?.hosting) return `is on ${host} already`;
  if (record?.redirect) return `is away at ${record.redirect.host}`;
  if (record?.departed) return `is at ${record.departed.host} for good`;
  return `does not run on ${host}`;
}

/** Why a guest that is somewhere already is not started: `SOJ_GUEST_THERE` where it runs, else `SOJ_GUEST_BUSY`. Pure. */
export function startConflict(
  guest: string,
  record: GuestRecord | undefined,
  host: string,
  activity: GuestActivity,
): SojournError {
  const place = `${guest} ${placeOf(record, host, activity)}`;
  const hint = `sojourn guest show ${guest}`;
  if (record !== undefined && hasEnded(record, activity)) {
    const isHome = record.home.host === host;
    const way = `it can be started as soon as ${record.home.host}'s daemon has answered`;
    return preconditionError("SOJ_GUEST_BUSY", place, {
      retryable: true,
      hint: isHome ? hint : `${way}, which is asked again and again`,
    });
  }
  const isHere = record?.hosting?.stage === "running" && !record.migration;
  const code = isHere && activity === "running" ? "SOJ_GUEST_THERE" : "SOJ_GUEST_BUSY";
  return preconditionError(code, place, { hint });
}

function hasEnded({ hosting, migration }: GuestRecord, activity: GuestActivity): boolean {
  return hosting?.stage === "running" && !migration && activity === "none";
}
