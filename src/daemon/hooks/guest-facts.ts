import type { GuestRecord } from "../../migrator/records.ts";
import type { GuestFacts } from "./payload.ts";

/** What hooks are told of a guest. */
export function guestFactsOf({ guest, definition, home }: GuestRecord): GuestFacts {
  const addresses = definition.nics.flatMap((nic) =>
    nic.addresses.map((address) => address.split("/")[0] ?? address),
  );
  return { name: guest, addresses, home: home.host };
}

/** Whether this host runs the guest, as far as its record says. */
export function isHere({ hosting }: GuestRecord): boolean {
  return hosting?.stage === "landed" || hosting?.stage === "running";
}
