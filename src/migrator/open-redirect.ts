import { firstAddress } from "../hypervisor/nic-addresses.ts";
import type { GuestRecord } from "./records.ts";

/** The record of a guest that is away from this host, its home, and that no migration moves. */
export type AwayRecord = GuestRecord & { redirect: NonNullable<GuestRecord["redirect"]> };

/** The same, or null for any other. */
export function openRedirect(record: GuestRecord | undefined): AwayRecord | null {
  if (!record?.redirect || record.hosting !== null) return null;
  if (record.outgoing !== null || record.migration !== null) return null;
  return { ...record, redirect: record.redirect };
}

/** Whether somebody is to see to the redirect's end. */
export function isGoing({ redirect }: AwayRecord): boolean {
  return redirect.drain !== undefined || redirect.retiring !== undefined;
}

/** The guest's own address, of its home's subnet. */
export function addressOf({ definition }: Pick<GuestRecord, "definition">): string {
  return firstAddress(definition) ?? "";
}
