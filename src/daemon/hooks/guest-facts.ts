import { nicAddresses } from "../../hypervisor/nic-addresses.ts";
import type { GuestRecord } from "../../migrator/records.ts";
import type { GuestFacts } from "./payload.ts";

/** What hooks are told of a guest. */
export function guestFactsOf(record: GuestRecord): GuestFacts {
  const { guest, definition, home, hosting, redirect, departed } = record;
  const addresses = nicAddresses(definition);
  const away = redirect?.drain?.renumbered ?? departed?.renumbered ?? undefined;
  const renumbered = hosting === null ? away : hosting.renumbered;
  const other = renumbered === undefined ? {} : { renumbered };
  return { name: guest, addresses, ...other, home: home.host };
}

/** Whether this host runs the guest, as far as its record says. */
export function isHere({ hosting }: GuestRecord): boolean {
  return hosting?.stage === "landed" || hosting?.stage === "running";
}
