import { preconditionError, type SojournError } from "../../platform/errors.ts";
import type { GuestRecord } from "../records.ts";

/** The id of the handover that has the guest's home change; null when it does not. Pure. */
export function handoverOf(record: GuestRecord | undefined): string | null {
  return record?.redirect?.handover?.id ?? record?.hosting?.handover?.id ?? null;
}

/** @throws SojournError `SOJ_GUEST_BUSY` (retryable) while the guest's home hands its address over. */
export function refuseHandedOver(record: GuestRecord | undefined): void {
  if (record === undefined || handoverOf(record) === null) return;
  throw preconditionError(
    "SOJ_GUEST_BUSY",
    `the address of ${record.guest} is just being handed over to another anchor`,
    { guestState: "untouched", retryable: true, hint: "try again in some seconds" },
  );
}

/** Of a request about a handover of which this host knows nothing, or something else. */
export function unknownHandover(host: string, id: string): SojournError {
  return preconditionError("SOJ_HANDOVER_UNKNOWN", `${host} knows nothing of handover ${id}`);
}
