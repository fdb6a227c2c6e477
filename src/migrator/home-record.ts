import type { GuestDefinition } from "../hypervisor/definition.ts";
import { firstAddress, nicAddresses } from "../hypervisor/nic-addresses.ts";
import { preconditionError } from "../platform/errors.ts";
import type { RoutingPlane } from "../routing/desired.ts";
import { departedFrom } from "./departed.ts";
import { addressesOf } from "./guest-addresses.ts";
import { guestNetworkOf, type HostFacts } from "./network.ts";
import type { GuestRecord, Home } from "./records.ts";

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
  networkAtHome(host, definition);
  refuseTwin(definition, known);
  return {
    guest: definition.name,
    definition,
    epoch: 0,
    home: await homeHere(host, definition, routing),
    hosting: { stage: "running", tableIndex: 0, homeTunnel: null, sourceTunnel: null },
    redirect: null,
    outgoing: null,
    migration: null,
  };
}

/**
 * This host as the home of a guest with an address of one of its guest networks.
 * @throws SojournError `SOJ_GUEST_ADDRESS`, `SOJ_BRIDGE_MISSING`.
 */
export async function homeHere(
  host: HostFacts,
  definition: GuestDefinition,
  routing: Pick<RoutingPlane, "linkMac">,
): Promise<Home> {
  const network = networkAtHome(host, definition);
  const gatewayMac = await routing.linkMac(network.bridge);
  if (gatewayMac === null || gatewayMac === "00:00:00:00:00:00") {
    throw preconditionError("SOJ_BRIDGE_MISSING", `${host.name} has no bridge ${network.bridge}`, {
      hint: "make it, with the gateway's address, or correct [[guest_networks]]",
    });
  }
  return { host: host.name, underlayAddress: host.underlayAddress, gatewayMac };
}

/** @throws SojournError `SOJ_GUEST_ADDRESS` */
function networkAtHome(host: HostFacts, definition: GuestDefinition) {
  const address = firstAddress(definition);
  const network = address === undefined ? undefined : guestNetworkOf(host, address);
  if (network !== undefined) return network;
  throw preconditionError(
    "SOJ_GUEST_ADDRESS",
    `${definition.name}'s address ${address ?? "(none)"} is in none of ${host.name}'s guest networks`,
    { hint: "give its first NIC an address of a [[guest_networks]] subnet" },
  );
}

/**
 * Refuses a guest that has an address of another one that this host knows, also one that the other got when it came here;
 * but the address that a guest has left behind for good is free.
 * @throws SojournError `SOJ_GUEST_ADDRESS`.
 */
export function refuseTwin(definition: GuestDefinition, known: readonly GuestRecord[]): void {
  const twin = twinOf(definition, known);
  if (twin === undefined) return;
  const { renumbered } = twin.hosting ?? {};
  const isGiven = renumbered !== undefined && nicAddresses(definition).includes(renumbered);
  throw preconditionError(
    "SOJ_GUEST_ADDRESS",
    isGiven
      ? `${twin.guest} was given ${renumbered} when it came here, which is ${definition.name}'s address too`
      : `${definition.name} and ${twin.guest} have the same IP or MAC address`,
    isGiven ? { hint: `sojourn migrate ${twin.guest} --to ${twin.home.host} gives it back` } : {},
  );
}

/** The guest that has a MAC or an IP address in common with another one; not one that has left for good. Pure. */
export function twinOf(
  definition: Pick<GuestDefinition, "nics">,
  known: readonly GuestRecord[],
): GuestRecord | undefined {
  const wanted = [...nicAddresses(definition), ...macsOf(definition)];
  return known.find((record) => {
    if (departedFrom(record) !== null) return false;
    const used = new Set([...addressesOf(record), ...macsOf(record.definition)]);
    return wanted.some((text) => used.has(text));
  });
}

function macsOf({ nics }: Pick<GuestDefinition, "nics">): string[] {
  return nics.map(({ mac }) => mac);
}
