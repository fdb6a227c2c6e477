import { BlockList } from "node:net";
import { firstAddress } from "../hypervisor/nic-addresses.ts";
import type { HostFacts } from "./network.ts";
import type { GuestRecord } from "./records.ts";
import { contains, networkOf } from "./subnet.ts";

/** Whom a guest on this host reaches without its home, wherever that is: the host itself, and who is in its guests' subnets. */
export function ownNetworks({
  underlayAddress,
  guestNetworks,
}: Pick<HostFacts, "underlayAddress" | "guestNetworks">): BlockList {
  const near = new BlockList();
  near.addAddress(underlayAddress);
  for (const { subnet } of guestNetworks) {
    const [base = "", length] = subnet.split("/");
    near.addSubnet(base, Number(length));
  }
  return near;
}

/** The addresses of the guests that run on this host, whosever they are, but for `guest` itself. */
export function othersHere(records: readonly GuestRecord[], guest: string): string[] {
  return records.flatMap((record) => {
    const { hosting, definition } = record;
    const runsHere = hosting?.stage === "landed" || hosting?.stage === "running";
    return record.guest === guest || !runsHere ? [] : (firstAddress(definition) ?? []);
  });
}

/** Those of them that are of the guest's own subnet, and so are reached without its home. */
export function siblingsHere(records: readonly GuestRecord[], record: GuestRecord): string[] {
  const [own] = record.definition.nics[0]?.addresses ?? [];
  if (own === undefined) return [];
  const subnet = networkOf(own);
  return othersHere(records, record.guest).filter((address) => contains(subnet, address));
}
