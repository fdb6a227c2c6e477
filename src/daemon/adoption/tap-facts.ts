import { z } from "zod";
import { guestNetworkOf } from "../../migrator/network.ts";
import { runCommand } from "../../platform/command.ts";
import { preconditionError, usageError } from "../../platform/errors.ts";
import type { DaemonConfig, GuestNetwork } from "../config.ts";

/** A NIC as a definition has it, with one address. */
export interface PlacedNic {
  mac: string;
  addresses: string[];
  gateway: string;
}

/**
 * The bridge that a guest's tap is in, one of this host's guest networks, and the address that the guest has on it.
 * @throws SojournError `SOJ_BRIDGE_MISSING`; as `chooseAddress`
 */
export async function placeOfTap(
  config: DaemonConfig,
  tap: string,
  mac: string,
  wish: NicWish | null,
): Promise<{ bridge: string; nic: PlacedNic }> {
  const bridge = await bridgeOf(tap);
  const network = config.guestNetworks.find((one) => one.bridge === bridge);
  if (bridge === null || network === undefined) {
    const place = bridge === null ? "in no bridge" : `in ${bridge}, which is no guest network's`;
    throw preconditionError("SOJ_BRIDGE_MISSING", `the guest's tap ${tap} is ${place}`, {
      guestState: "untouched",
      hint: "a guest is moved out of a bridge of [[guest_networks]]; name its bridge there, or put the tap into one",
    });
  }
  const seen = await addressesSeen(bridge, mac);
  const address = chooseAddress(config, network, mac, seen, wish);
  return { bridge, nic: { mac, addresses: [address], gateway: network.gateway } };
}

/** The bridge that a tap is in; null for one in none. */
export async function bridgeOf(tap: string): Promise<string | null> {
  const { stdout } = await runCommand("ip", ["-j", "link", "show", "dev", tap]);
  return (
    z.array(z.object({ master: z.string().optional() })).parse(JSON.parse(stdout))[0]?.master ??
    null
  );
}

/** IPv4 addresses that the host has seen a MAC address use on a bridge: its neighbour table. */
export async function addressesSeen(bridge: string, mac: string): Promise<string[]> {
  const { stdout } = await runCommand("ip", ["-4", "-j", "neigh", "show", "dev", bridge]);
  return neighboursWith(stdout, mac);
}

/** Pure. */
export function neighboursWith(json: string, mac: string): string[] {
  const neighbours = z
    .array(z.object({ dst: z.ipv4().optional(), lladdr: z.string().optional() }))
    .parse(JSON.parse(json === "" ? "[]" : json));
  return neighbours.flatMap(({ dst, lladdr }) =>
    dst !== undefined && lladdr?.toLowerCase() === mac ? [dst] : [],
  );
}

/** What `--nic` says. */
export interface NicWish {
  /** ADDRESS/LENGTH. */
  address: string;
  mac: string | null;
}

/** @throws SojournError `SOJ_USAGE` for anything but none or one ADDRESS/LENGTH[@MAC]. */
export function parseNicWish(wishes: readonly string[]): NicWish | null {
  const [wish] = wishes;
  if (wish === undefined) return null;
  if (wishes.length > 1) throw usageError("a guest moves with one NIC that has one address");
  const [address = "", mac] = wish.split("@");
  const isAddress = z.cidrv4().safeParse(address).success;
  const isMac = mac === undefined || /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac);
  if (isAddress && isMac && wish.split("@").length <= 2) {
    return { address, mac: mac?.toLowerCase() ?? null };
  }
  const shown = JSON.stringify(wish.slice(0, 80));
  throw usageError(
    `${shown} is not ADDRESS/LENGTH or ADDRESS/LENGTH@MAC`,
    "for example 10.1.0.20/24",
  );
}

/**
 * The guest's address with its length: as wished, or as seen on the bridge.
 * @throws SojournError `SOJ_ADDRESS_UNKNOWN` when no address was seen, or several; `SOJ_GUEST_ADDRESS` for a wish for
 *   one that is not of the network
 */
export function chooseAddress(
  config: Pick<DaemonConfig, "host" | "guestNetworks">,
  network: GuestNetwork,
  mac: string,
  seen: readonly string[],
  wish: NicWish | null,
): string {
  const host = { ...config.host, guestNetworks: config.guestNetworks };
  const isGuests = (address: string) =>
    guestNetworkOf(host, address) === network && address !== network.gateway;
  if (wish !== null) {
    if (isGuests(wish.address.split("/")[0] ?? "")) return wish.address;
    throw preconditionError(
      "SOJ_GUEST_ADDRESS",
      `${wish.address} is no guest's address in ${network.subnet}, the network of ${network.bridge}`,
      { guestState: "untouched", hint: `the gateway there is ${network.gateway}` },
    );
  }
  const own = seen.filter(isGuests);
  const [address] = own;
  const length = network.subnet.split("/")[1] ?? "32";
  if (address !== undefined && own.length === 1) return `${address}/${length}`;
  const found = own.length === 0 ? "none was seen" : `${own.length} were seen (${own.join(", ")})`;
  throw preconditionError(
    "SOJ_ADDRESS_UNKNOWN",
    `which IPv4 address the guest with MAC address ${mac} has on ${network.bridge} is not known: ${found}`,
    {
      guestState: "untouched",
      hint: `say it (--nic ADDRESS/${length}), or let the guest send a packet and try again`,
    },
  );
}
