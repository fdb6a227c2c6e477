import { refuseHandedOver } from "../migrator/handover/errors.ts";
import type { GuestRecord } from "../migrator/records.ts";
import type { SourceContext } from "../migrator/source-context.ts";
import { thirdHome } from "../migrator/third-home.ts";
import { preconditionError, usageError } from "../platform/errors.ts";
import type { MigrationRequest } from "./services.ts";

type Context = Pick<SourceContext, "guests" | "host" | "journal" | "records">;

/**
 * What is stored of a guest that may go where it is asked to, as far as this host knows by itself.
 * @param refuseBusy throws of one that is under way already
 * @throws SojournError of what it cannot do, with nothing changed.
 */
export function movableGuest(
  { guests, host, journal, records }: Context,
  request: Pick<MigrationRequest, "guest" | "to" | "strategy">,
  refuseBusy: (record: GuestRecord | undefined) => void,
): GuestRecord {
  const { guest, to } = request;
  const record = records.get(guest);
  const { hypervisor } = guests.definition(guest);
  journal.refuseHeld(guest);
  refuseBusy(record);
  if (!record?.hosting || guests.instance(guest) === undefined) {
    throw preconditionError("SOJ_GUEST_NOT_RUNNING", `${guest} ${guests.placeOf(guest)}`, {
      hint: hypervisor === "libvirt" ? `virsh start ${guest}` : `sojourn guest start ${guest}`,
    });
  }
  refuseHandedOver(record);
  if (to === host.name) {
    throw preconditionError("SOJ_GUEST_THERE", `${guest} is on ${to} already`, {
      hint: `nothing to do; elsewhere: sojourn migrate ${guest} --to HOST`,
    });
  }
  if (thirdHome(host.name, record, to) !== null) refuseBetweenOthers(host.name, request, record);
  if (record.definition.nics.length !== 1 || record.definition.nics[0]?.addresses.length !== 1) {
    throw preconditionError("SOJ_GUEST_ADDRESS", `${guest} needs one NIC with one address to move`);
  }
  return record;
}

/** @throws SojournError of what a guest that is away from home cannot do on its way to a third host. */
function refuseBetweenOthers(
  here: string,
  { guest, to, strategy }: Pick<MigrationRequest, "guest" | "to" | "strategy">,
  { home, hosting }: GuestRecord,
): void {
  if (strategy !== undefined && strategy.name !== "lossless") {
    throw usageError(
      `${guest} is away from its home ${home.host}: between two other hosts it moves with strategy lossless only`,
    );
  }
  if (hosting?.retired !== true) return;
  throw preconditionError(
    "SOJ_REDIRECT_RETIRED",
    `${guest} is at ${here} for good: nothing leads here from its home ${home.host}, and nothing would lead to ${to}`,
    { guestState: "untouched", hint: `sojourn migrate ${guest} --to ${home.host}` },
  );
}
