import { askNeighbour } from "./ask-neighbour.ts";
import { missingDevice } from "./failures.ts";
import { lookUpRoute, readLink } from "./netlink/reader.ts";
import { NetlinkError, type RouteNetlink } from "./netlink/socket.ts";

/**
 * Who has `address` already, as the end of a sentence: a neighbour on `device` that answers ARP for it, this host, or
 * whoever another route of this host leads to. Null for an address that is free.
 * @throws SojournError `SOJ_ROUTING_NO_DEVICE`, `SOJ_NETLINK_…`.
 */
export async function addressUser(
  netlink: RouteNetlink,
  device: string,
  address: string,
): Promise<string | null> {
  const link = await readLink(netlink, device);
  if (link === null) throw missingDevice(device, "bridge");
  const route = await lookUpRoute(netlink, address).catch((error: unknown) => {
    if (error instanceof NetlinkError) return null;
    throw error;
  });
  const routed = route?.linkIndex == null ? null : await readLink(netlink, route.linkIndex);
  if (routed !== null && routed.name !== device) {
    return routed.name === "lo" ? "this host's own" : `routed to ${routed.name} here`;
  }
  const answer = await askNeighbour(netlink, link.index, address);
  return answer === null ? null : `somebody's: ${answer.mac ?? "a neighbour"} answers for it`;
}
