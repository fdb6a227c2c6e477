import { BlockList } from "node:net";
import type { HostFacts } from "./network.ts";

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
