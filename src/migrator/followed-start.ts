import { departedFrom } from "./departed.ts";
import type { GuestRecord } from "./records.ts";

/** What this host knows of a guest whose domain is about to be started here. */
export interface StartFacts {
  host: string;
  /** Of the guest of the domain's name; undefined where this host knows no place of it. */
  record: GuestRecord | undefined;
  /** The domain is the guest, not only of its name. */
  isSameDomain: boolean;
  /** A migration brings it here. */
  isArriving: boolean;
  /** The domain is on the tap that was made for its arrival: libvirt makes it to receive the guest. */
  isOnArrivalTap: boolean;
  /** The journal is damaged: where the guest may run is not known. */
  isHeld: boolean;
  /** Its process was here, and has not ended as far as this host knows. */
  isAlive: boolean;
}

/** Why libvirt must not start the domain, for its caller; null where nothing stands against it. Pure. */
export function startRefusal(facts: StartFacts): string | null {
  const { host, record, isSameDomain, isArriving } = facts;
  if (!isSameDomain || (isArriving && facts.isOnArrivalTap)) return null;
  if (facts.isHeld) {
    return `the journal of ${host} is damaged, and where the guest runs is not known; sojourn journal check`;
  }
  if (record === undefined) return null;
  const { guest, migration, redirect, hosting } = record;
  if (isArriving && migration !== null) {
    return `${guest} is about to arrive from ${migration.peer} (${migration.id}); sojourn status ${migration.id}`;
  }
  if (migration?.role === "source") {
    return `${guest} is on its way to ${migration.peer} (${migration.id}); sojourn status ${migration.id}`;
  }
  if (hosting === null && redirect !== null) {
    return `${guest} runs at ${redirect.host}; sojourn migrate ${guest} --to ${host} brings it back`;
  }
  const departed = departedFrom(record);
  if (departed !== null) {
    return `${guest} is at ${departed.host} for good; once it has ended there, it can be started here again`;
  }
  // The source of an arrival that is over for libvirt, but not for Sojourn, may have the guest.
  if (migration !== null && !facts.isAlive) {
    return `whether ${guest} runs at ${migration.peer} is not known (${migration.id}); sojourn status ${migration.id}`;
  }
  return null;
}
