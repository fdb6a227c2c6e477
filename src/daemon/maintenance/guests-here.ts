import type { Guests } from "../../migrator/guests.ts";
import type { RecordStore } from "../../migrator/record-store.ts";
import type { GuestRecord } from "../../migrator/records.ts";

/** What this host knows of guests' places. */
export interface GuestPlaces {
  records: Pick<RecordStore, "all">;
  guests: Pick<Guests, "instance">;
}

/** Records of guests that run here, are on their way here, or run elsewhere with `host`, this one, as their home. */
export function guestsHere(host: string, { records, guests }: GuestPlaces) {
  const running: GuestRecord[] = [];
  const arriving: GuestRecord[] = [];
  const homeOf: GuestRecord[] = [];
  for (const record of records.all()) {
    const { guest, hosting, redirect, home } = record;
    const stage = hosting?.stage;
    if (stage === "barrier" || stage === "incoming") arriving.push(record);
    else if (stage !== undefined && guests.instance(guest)?.isAlive()) running.push(record);
    if (redirect !== null && home.host === host && stage === undefined) homeOf.push(record);
  }
  return { running, arriving, homeOf };
}
