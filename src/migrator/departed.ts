import { preconditionError } from "../platform/errors.ts";
import type { GuestRecord } from "./records.ts";

/** What this host, its home, remembers of a guest that is elsewhere for good; null for any other. Pure. */
export function departedFrom(
  record: GuestRecord | undefined,
): NonNullable<GuestRecord["departed"]> | null {
  if (record?.departed === undefined || record.hosting !== null) return null;
  return record.migration === null ? record.departed : null;
}

/** @throws SojournError `SOJ_GUEST_DEPARTED` for one that must not be started, or asked for, here. */
export function refuseDeparted(record: GuestRecord): void {
  const departed = departedFrom(record);
  if (departed === null) return;
  const { guest } = record;
  const { host } = departed;
  throw preconditionError(
    "SOJ_GUEST_DEPARTED",
    `${guest} is at ${host} for good: nothing leads there from its home any more`,
    {
      guestState: "untouched",
      hint: `ask ${host}; once the guest has ended there, ${record.home.host} can start it again`,
    },
  );
}
