import type { GuestDefinition } from "../hypervisor/definition.ts";
import { firstAddress, nicAddresses } from "../hypervisor/nic-addresses.ts";
import { preconditionError } from "../platform/errors.ts";
import type { RoutingPlane } from "../routing/desired.ts";
import { departedFrom } from "./departed.ts";
import { addressesOf } from "./guest-addresses.ts";
import { guestNetworkOf, type HostFacts } from "./network.ts";
import type { GuestRecord, Home } from "./records.ts";

/** What finding the gateway takes. */
export type HomeRouting = Pick<RoutingPlane, "linkMac" | "neighbourMac" | "routeTo">;

/**
 * The record of a guest that is about to start at its home, this host.
 * @param known the records of all other guests.
 * @throws SojournError `SOJ_GUEST_ADDRESS` for an address that is in none of this host's guest networks, or another
 * guest's; `SOJ_BRIDGE_MISSING`; `SOJ_GATEWAY_SILENT` when the gateway of its LAN cannot be found.
 */
export async function recordAtHome(
  host: HostFacts,
  definition: GuestDefinition,
  known: readonly GuestRecord[],
  routing: HomeRouting,
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
 * @throws SojournError `SOJ_GUEST_ADDRESS`, `SOJ_BRIDGE_MISSING`, `SOJ_GATEWAY_SILENT`.
 */
export async function homeHere(
  host: HostFacts,
  definition: GuestDefinition,
  routing: HomeRouting,
): Promise<Home> {
  const gatewayMac = await gatewayMacOf(host, networkAtHome(host, definition), routing);
  return { host: host.name, underlayAddress: host.underlayAddress, gatewayMac };
}

/** @throws SojournError `SOJ_GUEST_ADDRESS` */
function networkAtHome(host: HostFacts, definition: GuestDefinition) {
  const address = firstAddress(definition);
  const network = address === undefined ? undefined : guestNetworkOf(host, address);
  if (address !== undefined && address === network?.gateway) {
    // Whoever is away has home answer for its address: here, for everybody's way out.
    const message = `${definition.name}'s address ${address} is its gateway's`;
    throw preconditionError("SOJ_GUEST_ADDRESS", message);
  }
  if (network !== undefined) return network;
  throw preconditionError(
    "SOJ_GUEST_ADDRESS",
    `${definition.name}'s address ${address ?? "(none)"} is in none of ${host.name}'s guest networks`,
    { hint: "give its first NIC an address of a [[guest_networks]] subnet" },
  );
}

/**
 * The gateway's MAC address as guests of the network know it: this host's, or that of the LAN's gateway, which is asked.
 * @throws SojournError `SOJ_BRIDGE_MISSING`, `SOJ_LAN_ADDRESS`, `SOJ_GATEWAY_SILENT`.
 */
export async function gatewayMacOf(
  { name }: Pick<HostFacts, "name">,
  { bridge, gateway, port }: HostFacts["guestNetworks"][number],
  routing: HomeRouting,
): Promise<string> {
  const bridgeMac = await routing.linkMac(bridge);
  if (bridgeMac === null || bridgeMac === "00:00:00:00:00:00") {
    const what = port === undefined ? "the gateway's address" : `its port ${port}`;
    throw preconditionError("SOJ_BRIDGE_MISSING", `${name} has no bridge ${bridge}`, {
      hint: `make it, with ${what}, or correct [[guest_networks]]`,
    });
  }
  if (port === undefined) return bridgeMac;
  const way = await routing.routeTo(gateway).catch(() => null);
  if (way?.device !== bridge) {
    throw preconditionError(
      "SOJ_LAN_ADDRESS",
      way?.device === "lo"
        ? `${gateway} is ${name}'s own address and not that of another machine`
        : `${name} has no address of its own on ${bridge}, the guests' LAN`,
      { hint: `sojourn doctor, on ${name}` },
    );
  }
  const gatewayMac = await routing.neighbourMac(bridge, gateway);
  if (gatewayMac !== null) return gatewayMac;
  throw preconditionError(
    "SOJ_GATEWAY_SILENT",
    `the gateway ${gateway} does not answer ${name} on ${bridge}: away from home the guest would not find it`,
    {
      retryable: true,
      hint: `sojourn doctor, on ${name}: it needs an address of its own on ${bridge}, and ${port} a link`,
    },
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
