import type { GuestDefinition } from "../hypervisor/definition.ts";
import { firstAddress } from "../hypervisor/nic-addresses.ts";
import { preconditionError } from "../platform/errors.ts";
import { isOwnAddress } from "../platform/own-addresses.ts";
import { checkEpoch } from "./epochs.ts";
import { placeOf } from "./guest-place.ts";
import { twinOf } from "./home-record.ts";
import type { HostContext } from "./host-context.ts";
import { refuseAnchor } from "./host-role.ts";
import { refuseMaintenance } from "./maintenance.ts";
import { guestNetworkOf } from "./network.ts";
import type { GuestRecord } from "./records.ts";

/**
 * Refuses a guest that cannot arrive here.
 * @param isArriving its source, or another, has begun to send it already.
 * @throws SojournError `SOJ_HOST_IS_ANCHOR`, `SOJ_HOST_MAINTENANCE`, `SOJ_STALE_EPOCH`, `SOJ_GUEST_THERE`, `SOJ_GUEST_BUSY`,
 *   `SOJ_GUEST_HOME` and others, with nothing changed.
 */
export function checkAdmissible(
  context: Pick<HostContext, "host" | "journal" | "records" | "maintenance">,
  request: { id: string; guest: string; epoch: number } & {
    home: { host: string };
    definition: Pick<GuestDefinition, "name" | "nics">;
  },
  isArriving: boolean,
): void {
  const { host, journal, records } = context;
  refuseAnchor(host, `${request.guest} cannot arrive`);
  refuseMaintenance(host, context.maintenance, `${request.guest} cannot arrive`);
  journal.refuseHeld(request.guest);
  if (request.definition.name !== request.guest) {
    throw preconditionError(
      "SOJ_GUEST_UNKNOWN",
      `the definition is of ${request.definition.name}, not of ${request.guest}`,
    );
  }
  const record = records.get(request.guest);
  const known = journal.has(request.id, "prepared") || journal.has(request.id, "abort");
  if (known || (record?.epoch ?? 0) >= request.epoch) {
    checkEpoch(undefined, request, "destination");
  }
  if (record?.hosting?.stage === "running" && !record.migration && !isArriving) {
    throw preconditionError("SOJ_GUEST_THERE", `${request.guest} ${placeOf(record, host.name)}`);
  }
  if (record?.hosting || record?.migration || isArriving) {
    const place = record?.hosting
      ? placeOf(record, host.name)
      : `is about to arrive at ${host.name}`;
    throw preconditionError("SOJ_GUEST_BUSY", `${request.guest} ${place}`);
  }
  const address = firstAddress(request.definition);
  if (address === undefined) {
    throw preconditionError("SOJ_GUEST_ADDRESS", `${request.guest} has no NIC with an address`);
  }
  // Connections of its own that a peer has it track would pass its firewall.
  if (address === host.underlayAddress || isOwnAddress(address)) {
    throw preconditionError("SOJ_GUEST_ADDRESS", `${address} is ${host.name}'s own address`);
  }
  refuseSameAddress(records.all(), request.definition, record);
  const isHome = guestNetworkOf(host, address) !== undefined;
  if (isHome !== (request.home.host === host.name)) {
    throw preconditionError(
      "SOJ_GUEST_HOME",
      `${address} is ${isHome ? "" : "not "}in a guest network of ${host.name}, but ${request.home.host} is said to be home`,
    );
  }
}

/**
 * A guest comes home from where its home knows it, and from nowhere else: it would run twice.
 * @throws SojournError `SOJ_GUEST_ELSEWHERE`.
 */
export function refuseFromElsewhere(record: GuestRecord | undefined, peer: string): void {
  const place = record?.redirect?.host ?? record?.departed?.host;
  if (record === undefined || place === undefined || place === peer) return;
  throw preconditionError(
    "SOJ_GUEST_ELSEWHERE",
    `${record.guest} cannot come home from ${peer}: its home knows it at ${place}`,
    {
      ...{ httpStatus: 409, guestState: "untouched" },
      hint: `sojourn guest show ${record.guest}, on both hosts`,
    },
  );
}

/**
 * Of two guests with one address no host could tell the flows apart. The old address of a guest that has left its home for
 * good was free to be given to another one, which may meet it at either host.
 */
function refuseSameAddress(
  known: readonly GuestRecord[],
  definition: Pick<GuestDefinition, "name" | "nics">,
  record: GuestRecord | undefined,
): void {
  const others = known.filter(({ guest }) => guest !== definition.name);
  if (record?.departed) {
    const twin = twinOf(definition, others);
    if (twin === undefined) return;
    throw preconditionError(
      "SOJ_GUEST_ADDRESS",
      `${twin.guest} has ${definition.name}'s IP or MAC address by now: it was free once the redirect was retired`,
    );
  }
  // Two that hosts of their own have named may have the same MAC address, each on a bridge of its own.
  const twin = twinOf({ nics: definition.nics.map((nic) => ({ ...nic, mac: "" })) }, others);
  if (twin === undefined) return;
  throw preconditionError(
    "SOJ_GUEST_ADDRESS",
    `${twin.guest}, which this host knows, has ${definition.name}'s IP address`,
    { guestState: "untouched", hint: "move the guest to another host, or the other one first" },
  );
}
