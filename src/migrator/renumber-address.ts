import { isIPv4 } from "node:net";
import { preconditionError, type SojournError } from "../platform/errors.ts";
import type { HostFacts } from "./network.ts";
import { addressNumber, addressText, contains, usable } from "./subnet.ts";

/** `auto`, or an address. */
export type AddressWish = string;

/** Whether a request may wish for this. */
export function isAddressWish(text: string): boolean {
  return text === "auto" || isIPv4(text);
}

/**
 * The address that a guest gets of this host's guest networks: the one that is wished for, or the lowest that is free, in
 * the order of the networks. Pure.
 * @param taken whose each address is that no guest can get, as the end of a sentence.
 * @throws SojournError `SOJ_RENUMBER_ADDRESS` for a wish that cannot be granted, `SOJ_RENUMBER_FULL`.
 */
export function chooseAddress(
  wish: AddressWish,
  { name, guestNetworks }: Pick<HostFacts, "name" | "guestNetworks">,
  taken: ReadonlyMap<string, string>,
): string {
  if (wish === "auto") {
    const free = guestNetworks.map((network) => lowestFree(network, taken));
    const found = free.find((address) => address !== null);
    if (found != null) return found;
    throw preconditionError("SOJ_RENUMBER_FULL", `${name} has no free address for another guest`, {
      guestState: "untouched",
      hint: `give ${name} another of [[guest_networks]], or retire a redirect there`,
    });
  }
  const network = guestNetworks.find(({ subnet }) => contains(subnet, wish));
  if (network === undefined) throw refused(wish, `it is in none of ${name}'s guest networks`);
  const { first, last } = usable(network.subnet);
  const number = addressNumber(wish);
  if (number < first) throw refused(wish, `it is the network ${network.subnet} itself`);
  if (number > last) throw refused(wish, `it is the broadcast address of ${network.subnet}`);
  if (wish === network.gateway) throw refused(wish, `it is the gateway of ${network.subnet}`);
  const owner = taken.get(wish);
  if (owner !== undefined) throw refused(wish, `it is ${owner}`);
  return wish;
}

/** Why a guest cannot get the address that was asked for. */
export function refused(address: string, reason: string): SojournError {
  return preconditionError("SOJ_RENUMBER_ADDRESS", `no guest can get ${address}: ${reason}`, {
    guestState: "untouched",
    hint: "--renumber auto takes one that is free",
  });
}

function lowestFree(
  { subnet, gateway }: HostFacts["guestNetworks"][number],
  taken: ReadonlyMap<string, string>,
): string | null {
  const { first, last } = usable(subnet);
  for (let number = first; number <= last; number += 1) {
    const address = addressText(number);
    if (address !== gateway && !taken.has(address)) return address;
  }
  return null;
}
