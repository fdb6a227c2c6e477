import { nicAddresses } from "../../hypervisor/nic-addresses.ts";
import { refuseDeparted } from "../../migrator/departed.ts";
import { flowPaths } from "../../migrator/flow-path.ts";
import type { Guests } from "../../migrator/guests.ts";
import { siblingsHere } from "../../migrator/own-networks.ts";
import type { RecordStore } from "../../migrator/record-store.ts";
import { preconditionError, SojournError } from "../../platform/errors.ts";
import type { DaemonConfig } from "../config.ts";
import type { FlowAddress } from "./flow-lists.ts";

export interface FlowAddressSources {
  config: Pick<DaemonConfig, "host" | "guestNetworks">;
  guests: Pick<Guests, "definition">;
  records: Pick<RecordStore, "get" | "all">;
}

/**
 * The addresses of a guest whose flows this host can tell: at its home, and where it is.
 * @throws SojournError `SOJ_GUEST_UNKNOWN` (404) on any other host; `SOJ_GUEST_DEPARTED` at the home that it has left for
 *   good, where its address may be another's.
 */
export function flowAddresses(sources: FlowAddressSources, guest: string): FlowAddress[] {
  const { config, records } = sources;
  const definition = definitionOf(sources, guest);
  const record = records.get(guest);
  if (record !== undefined) refuseDeparted(record);
  const host = { ...config.host, guestNetworks: config.guestNetworks };
  const siblings = record === undefined ? [] : siblingsHere(records.all(), record);
  return nicAddresses(definition).map((address) => ({
    address,
    pathOf: flowPaths(host, record, address, siblings),
  }));
}

function definitionOf({ config, guests }: FlowAddressSources, guest: string) {
  try {
    return guests.definition(guest);
  } catch (error) {
    if (!(error instanceof SojournError) || error.code !== "SOJ_GUEST_UNKNOWN") throw error;
    const message = `${config.host.name} knows no guest ${guest}: its flows do not pass here`;
    throw preconditionError("SOJ_GUEST_UNKNOWN", message, {
      ...{ cause: error, httpStatus: 404 },
      hint: "ask at the guest's home or at the host where it is; sojourn guest ls tells what is known here",
    });
  }
}
