import { preconditionError } from "../platform/errors.ts";
import type { GuestRecord } from "./records.ts";

/**
 * Refuses a message that does not belong to the migration this host takes part in, above all one with an older epoch.
 * @throws SojournError `SOJ_STALE_EPOCH`.
 */
export function checkEpoch(
  record: GuestRecord | undefined,
  message: { id: string; guest: string; epoch: number },
  role: "source" | "destination",
): asserts record is GuestRecord & { migration: NonNullable<GuestRecord["migration"]> } {
  const current = record?.migration;
  if (current?.id === message.id && current.epoch === message.epoch && current.role === role) {
    return;
  }
  const known =
    current === null || current === undefined ? "none" : `${current.id} epoch ${current.epoch}`;
  throw preconditionError(
    "SOJ_STALE_EPOCH",
    `migration ${message.id} epoch ${message.epoch} of ${message.guest} is not the one under way here (${known})`,
  );
}
