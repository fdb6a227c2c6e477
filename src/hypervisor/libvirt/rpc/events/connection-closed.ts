import { int32, struct } from "@stellar/js-xdr";
import { libvirtProtocolError, libvirtRelayLostError } from "../errors.ts";
import type { Packet } from "../packet.ts";
import { Program } from "../programs.ts";

/** libvirt says that it has lost its own connection to the driver's daemon; `reason` is a `virConnectCloseReason`. */
const connectionClosed = struct("connection closed", { reason: int32() });
const connectionClosedProcedure = 362;

/** @throws SojournError `SOJ_LIBVIRT_CLOSED` when the event says so. */
export function throwIfConnectionClosed({ header, payload }: Packet): void {
  if (header.program !== Program.remote || header.procedure !== connectionClosedProcedure) return;
  let reason: number;
  try {
    ({ reason } = connectionClosed.decode(payload));
  } catch (cause) {
    throw libvirtProtocolError("an end of its connection that cannot be read", cause);
  }
  throw libvirtRelayLostError(reason);
}
