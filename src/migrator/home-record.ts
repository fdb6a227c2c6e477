import type { GuestDefinition } from "../hypervisor/definition.ts";
import { preconditionError } from "../platform/errors.ts";
import type { RoutingPlane } from "../routing/desired.ts";
import { departedFrom } from "./departed.ts";
import { guestNetworkOf, type HostFacts } from "./network.ts";
import type { GuestRecord } from "./records.ts";

/**
 * The record of a guest that is about to start at its home, this host.
 * @param known the records of all other guests.
 * @throws SojournError `SOJ_GUEST_ADDRESS` for an address that is in none of this host's guest networks, or another
 * guest's; `SOJ_BRIDGE_MISSING`.
 */
export async function recordAtHome(
  host: HostFacts,
  definition: GuestDefinition,
  known: readonly GuestRecord[],
  routing: Pick<RoutingPlane, "linkMac">,
): Promise<GuestRecord> {
  const address = definition.nics[0]?.addresses[0]?.split("/")[0];
  const network = address === undefined ? undefined : guestNetworkOf(host, address);
  if (network === undefined) {
    throw preconditionError(
      "SOJ_GUEST_ADDRESS",
      `${definition.name}'s address ${address ?? "(none)"} is in none of ${host.name}'s guest networks`,
      { hint: "give its first NIC an address of a [[guest_networks]] subnet" },
    );
  }
  const twin = known.find(
    (record) => departedFrom(record) === null && sharesAddress(record.definition, definition),
  );
  if (twin !== undefined) {
    throw preconditionError(
      "SOJ_GUEST_ADDRESS",
      `${definition.name} and ${twin.guest} have the same IP or MAC address`,
    );
  }
  const gatewayMac = await routing.linkMac(network.bridge);
  if (gatewayMac === null || gatewayMac === "00:00:00:00:00:00") {
    throw preconditionError("SOJ_BRIDGE_MISSING", `${host.name} has no bridge ${network.bridge}`, {
      hint: "make it, with the gateway's address, or correct [[guest_networks]]",
    });
  }
  return {
    guest: definition.name,
    definition,
    epoch: 0,
    home: { host: host.name, underlayAddress: host.underlayAddress, gatewayMac },
    hosting: { stage: "running", tableIndex: 0, homeTunnel: null, sourceTunnel: null },
    redirect: null,
    outgoing: null,
    migration: null,
  };
}

/** Whether two guests have a MAC or an IP address in common. Pure. */
export function sharesAddress(
  one: Pick<GuestDefinition, "nics">,
  other: Pick<GuestDefinition, "nics">,
): boolean {
  const used = new Set(one.nics.flatMap(({ mac, addresses }) => [mac, ...addresses]));
  return other.nics.some(({ mac, addresses }) =>
    [mac, ...addresses].some((text) => used.has(text)),
  );
}
