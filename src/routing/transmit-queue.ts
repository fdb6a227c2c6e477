import type { LinkCounters } from "./desired.ts";
import { missingDevice } from "./failures.ts";
import { decodeCounters, encodeQueueLength, linkRequest } from "./netlink/links.ts";
import { readLink } from "./netlink/reader.ts";
import { MessageType, NetlinkError, type RouteNetlink } from "./netlink/socket.ts";

/** The link's counters; null when there is no such link. */
export async function readCounters(
  netlink: RouteNetlink,
  device: string,
): Promise<LinkCounters | null> {
  try {
    const request = `link statistics ${device}`;
    const [answer] = await netlink.request(request, MessageType.getLink, linkRequest(device));
    return answer === undefined ? null : decodeCounters(answer.data);
  } catch (error) {
    if (error instanceof NetlinkError && error.errnoName === "ENODEV") return null;
    throw error;
  }
}

/**
 * Raises the link's `txqueuelen` to `length` packets; a longer queue stays. The kernel keeps what waits in a tap's.
 * @throws SojournError `SOJ_ROUTING_NO_DEVICE`, `SOJ_NETLINK_…`.
 */
export async function lengthenQueue(
  netlink: RouteNetlink,
  device: string,
  length: number,
): Promise<void> {
  const link = await readLink(netlink, device);
  if (link === null) throw missingDevice(device, "interface");
  if (link.txQueueLength >= length) return;
  await setLength(netlink, device, link.index, length);
}

/**
 * Throws away what waits in a tap's queue, and leaves its length as it is: the kernel drops what a shorter queue has no
 * room for (`__ptr_ring_swap_queue` in include/linux/ptr_ring.h).
 * @throws SojournError `SOJ_ROUTING_NO_DEVICE`, `SOJ_NETLINK_…`.
 */
export async function emptyQueue(netlink: RouteNetlink, device: string): Promise<void> {
  const link = await readLink(netlink, device);
  if (link === null) throw missingDevice(device, "interface");
  await setLength(netlink, device, link.index, 0);
  await setLength(netlink, device, link.index, link.txQueueLength);
}

async function setLength(
  netlink: RouteNetlink,
  device: string,
  index: number,
  length: number,
): Promise<void> {
  const request = `link set ${device} txqueuelen ${length}`;
  await netlink.request(request, MessageType.setLink, encodeQueueLength(index, length));
}
