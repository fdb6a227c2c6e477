import { firstAddress } from "../hypervisor/nic-addresses.ts";
import { preconditionError } from "../platform/errors.ts";
import type { Attachment } from "./anchor-procedures.ts";
import { refuseDeparted } from "./departed.ts";
import { refuseHandedOver } from "./handover/errors.ts";
import { type HandoverStore, handedOverTo, type StoredHandover } from "./handover/state.ts";
import { homeHere, refuseTwin } from "./home-record.ts";
import type { HostContext } from "./host-context.ts";
import type { GuestRecord, Home } from "./records.ts";

type Context = Pick<HostContext, "host" | "records" | "network" | "journal"> & {
  handovers: Pick<HandoverStore, "current">;
};

/**
 * What an anchor does when a host is about to start a guest with an address of its: from now on it sends the guest's
 * traffic there. The host may ask again, as long as the guest has not been moved from it.
 * @throws SojournError `SOJ_NOT_ANCHOR`, `SOJ_GUEST_BUSY` for one that is at another host, or on its way,
 *   `SOJ_GUEST_ADDRESS`, `SOJ_BRIDGE_MISSING`, or what the kernel refuses, with nothing changed.
 */
export async function attachGuest(
  context: Context,
  request: Attachment,
  peer: string,
): Promise<{ home: Home; epoch: number }> {
  const { host, network, records, journal } = context;
  const { guest, definition } = request;
  using _held = await network.hold();
  checkAttachable(context, request, peer);
  refuseStandby(host.name, context.handovers.current);
  const known = records.get(guest);
  const home = await homeHere(host, definition, network.routing);
  const epoch = Math.max(
    request.epoch,
    known === undefined ? 0 : known.epoch + 1,
    journal.highestEpoch(guest),
  );
  const tunnel = {
    kind: request.tunnel_kind,
    localAddress: host.underlayAddress,
    remoteAddress: request.underlay_address,
  };
  await network.changeWhileHeld({
    ...{ guest, definition, epoch, home },
    hosting: null,
    redirect: { host: peer, tunnel, attaching: true },
    outgoing: null,
    migration: null,
  });
  return { home, epoch };
}

/**
 * Refuses a guest that may be somewhere, so that it never runs twice, and one whose address or name another has.
 * @throws SojournError as `attachGuest`.
 */
export function checkAttachable(
  { host, records, journal }: Pick<Context, "host" | "records" | "journal">,
  { guest, definition, underlay_address }: Attachment,
  peer: string,
): void {
  if (host.role !== "anchor") {
    throw preconditionError(
      "SOJ_NOT_ANCHOR",
      `${host.name} is no anchor: guests of its addresses start there`,
    );
  }
  journal.refuseHeld(guest);
  if (definition.name !== guest) {
    const message = `the definition is of ${definition.name}, not of ${guest}`;
    throw preconditionError("SOJ_GUEST_UNKNOWN", message);
  }
  const known = records.get(guest);
  if (known !== undefined) refuseElsewhere(known, host.name, peer);
  const address = firstAddress(definition);
  if (address === host.underlayAddress || address === underlay_address) {
    throw preconditionError("SOJ_GUEST_ADDRESS", `${address} is a host's own address`);
  }
  const others = records.all().filter((record) => record.guest !== guest);
  refuseTwin(definition, others);
}

/** One anchor of a LAN has its guests at a time: only it knows who is where. */
function refuseStandby(anchor: string, handover: StoredHandover | null): void {
  const other = handedOverTo(handover);
  if (other === null) return;
  throw preconditionError(
    "SOJ_ANCHOR_STANDBY",
    `${anchor} has handed its guests' addresses over to ${other}, or does so just now`,
    { hint: `start the guest behind ${other}, or hand over again: sojourn anchor handover` },
  );
}

function refuseElsewhere(known: GuestRecord, anchor: string, peer: string): void {
  refuseDeparted(known);
  refuseHandedOver(known);
  const { guest, redirect, migration } = known;
  const isMoving = migration !== null || redirect?.next !== undefined;
  if (!isMoving && redirect?.host === peer) return;
  const place = redirect === null || isMoving ? "is being moved" : `is at ${redirect.host}`;
  throw preconditionError("SOJ_GUEST_BUSY", `${guest} ${place}, behind ${anchor}`, {
    hint: `sojourn guest show ${guest}${redirect === null ? "" : `, on ${redirect.host}`}`,
  });
}
