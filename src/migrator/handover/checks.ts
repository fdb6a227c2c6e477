import { preconditionError } from "../../platform/errors.ts";
import { isOwnAddress } from "../../platform/own-addresses.ts";
import { guestNetworkOf, type HostFacts } from "../network.ts";
import { type AwayRecord, addressOf, openRedirect } from "../open-redirect.ts";
import type { GuestRecord } from "../records.ts";

/**
 * The guests whose addresses an anchor hands over: all that it is home of.
 * @throws SojournError `SOJ_NOT_ANCHOR`; `SOJ_HANDOVER_EMPTY`; `SOJ_GUEST_BUSY` for one that is being started, moved or
 *   renumbered; `SOJ_HANDOVER_ROUTED` where nothing but this anchor leads the network's traffic.
 */
export function guestsToHandOver(
  host: HostFacts,
  records: readonly GuestRecord[],
  isLocal: (address: string) => boolean = isOwnAddress,
): AwayRecord[] {
  if (host.role !== "anchor") {
    throw preconditionError("SOJ_NOT_ANCHOR", `${host.name} is no anchor`, {
      hint: "ask the anchor whose addresses are to be handed over: sojourn host ls",
    });
  }
  const guests = records.map(settled);
  if (guests.length === 0) {
    const message = `${host.name} is no guest's home just now: there is nothing to hand over`;
    const hint = "sojourn anchor show tells whether it has handed them over before";
    throw preconditionError("SOJ_HANDOVER_EMPTY", message, { hint });
  }
  for (const record of guests) {
    const network = guestNetworkOf(host, addressOf(record));
    if (network === undefined || !isLocal(network.gateway)) continue;
    throw preconditionError(
      "SOJ_HANDOVER_ROUTED",
      `${host.name} is itself the gateway ${network.gateway} of ${network.subnet}: routers would go on sending here`,
      {
        guestState: "untouched",
        hint: "anchors that hand over to each other are on one LAN with a router of its own; see docs/anchor.md",
      },
    );
  }
  return guests;
}

function settled(record: GuestRecord): AwayRecord {
  const away = openRedirect(record);
  const { next, previous, attaching, drain, retiring, handover } = away?.redirect ?? {};
  const pending = [next, previous, attaching, drain, retiring, handover];
  if (away !== null && pending.every((one) => one === undefined)) return away;
  throw preconditionError(
    "SOJ_GUEST_BUSY",
    `${record.guest} is just being started, moved, renumbered or handed over`,
    {
      guestState: "untouched",
      retryable: true,
      hint: `wait for the end of that: sojourn guest show ${record.guest}`,
    },
  );
}
