import { delay, monotonicMs } from "../platform/clock.ts";
import { missingDevice } from "./failures.ts";
import {
  decodeNeighbourAnswer,
  neighbourDumpRequest,
  neighbourRequest,
} from "./netlink/neighbours.ts";
import { lookUpRoute, readLink } from "./netlink/reader.ts";
import { MessageFlag, MessageType, NetlinkError, type RouteNetlink } from "./netlink/socket.ts";

/** As long as three ARP requests of the kernel, a second apart (mcast_solicit, retrans_time_ms; RFC 5227 sends three). */
const longestMs = 3_500;
const intervalMs = 100;

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
  const known = await answerOf(netlink, link.index, address);
  // What was true some time ago is asked again from the beginning.
  if (known?.answer === "old" || known?.answer === "none") {
    await forget(netlink, link.index, address);
  }
  await netlink.request(
    `neigh use ${address} dev ${device}`,
    MessageType.newNeighbour,
    neighbourRequest(link.index, address, true),
    MessageFlag.create,
  );
  const deadlineMs = monotonicMs() + longestMs;
  while (monotonicMs() < deadlineMs) {
    const found = await answerOf(netlink, link.index, address);
    if (found?.answer === "given")
      return `somebody's: ${found.mac ?? "a neighbour"} answers for it`;
    if (found === null || found.answer === "none") break;
    await delay(intervalMs);
  }
  await forget(netlink, link.index, address);
  return null;
}

async function answerOf(netlink: RouteNetlink, linkIndex: number, address: string) {
  const entries = await netlink.dump(
    "neighbour list",
    MessageType.getNeighbour,
    neighbourDumpRequest("neighbours"),
  );
  for (const bytes of entries) {
    const found = decodeNeighbourAnswer(bytes, linkIndex, address);
    if (found !== null) return found;
  }
  return null;
}

async function forget(netlink: RouteNetlink, linkIndex: number, address: string): Promise<void> {
  const request = neighbourRequest(linkIndex, address, false);
  await netlink
    .request(`neigh del ${address}`, MessageType.deleteNeighbour, request)
    .catch((error: unknown) => {
      if (!(error instanceof NetlinkError)) throw error;
    });
}
