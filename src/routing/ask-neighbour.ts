import { delay, monotonicMs } from "../platform/clock.ts";
import { missingDevice } from "./failures.ts";
import {
  decodeNeighbour,
  decodeNeighbourAnswer,
  neighbourDumpRequest,
  neighbourRequest,
} from "./netlink/neighbours.ts";
import { readLink } from "./netlink/reader.ts";
import { MessageFlag, MessageType, NetlinkError, type RouteNetlink } from "./netlink/socket.ts";

/** As long as three ARP requests of the kernel, a second apart (mcast_solicit, retrans_time_ms; RFC 5227 sends three). */
const longestMs = 3_500;
const intervalMs = 100;

/**
 * Has the kernel look for `address` at a link, as for a packet to it; its MAC address. Null when nobody answers, and then the
 * kernel keeps no trace of the question.
 */
export async function askNeighbour(
  netlink: RouteNetlink,
  linkIndex: number,
  address: string,
): Promise<{ mac: string | null } | null> {
  const known = await answerOf(netlink, linkIndex, address);
  // What was true some time ago is asked again from the beginning.
  if (known?.answer === "old" || known?.answer === "none") {
    await forgetNeighbour(netlink, linkIndex, address);
  }
  await netlink.request(
    `neigh use ${address}`,
    MessageType.newNeighbour,
    neighbourRequest(linkIndex, address, true),
    MessageFlag.create,
  );
  const deadlineMs = monotonicMs() + longestMs;
  while (monotonicMs() < deadlineMs) {
    const found = await answerOf(netlink, linkIndex, address);
    if (found?.answer === "given") return { mac: found.mac };
    if (found === null || found.answer === "none") break;
    await delay(intervalMs);
  }
  await forgetNeighbour(netlink, linkIndex, address);
  return null;
}

/** Makes the kernel forget what it knows of a neighbour; one that it does not know is fine. */
async function forgetNeighbour(
  netlink: RouteNetlink,
  linkIndex: number,
  address: string,
): Promise<void> {
  const request = neighbourRequest(linkIndex, address, false);
  await netlink
    .request(`neigh del ${address}`, MessageType.deleteNeighbour, request)
    .catch((error: unknown) => {
      if (!(error instanceof NetlinkError)) throw error;
    });
}

/** @throws SojournError `SOJ_ROUTING_NO_DEVICE`, `SOJ_NETLINK_…`. */
export async function neighbourMac(
  netlink: RouteNetlink,
  device: string,
  address: string,
): Promise<string | null> {
  const link = await readLink(netlink, device);
  if (link === null) throw missingDevice(device, "bridge");
  const answer = await askNeighbour(netlink, link.index, address);
  return answer?.mac ?? null;
}

/** The machines of a device's network that the kernel has a MAC address of, whoever told it. */
export async function knownNeighbours(
  netlink: RouteNetlink,
  device: string,
): Promise<{ address: string; mac: string }[]> {
  const link = await readLink(netlink, device);
  if (link === null) return [];
  const entries = await dumpNeighbours(netlink);
  return entries.flatMap((bytes) => {
    const entry = decodeNeighbour(bytes, String);
    if (entry?.device !== String(link.index) || entry.proxy || entry.mac === null) return [];
    return isUnicast(entry.mac) ? [{ address: entry.address, mac: entry.mac }] : [];
  });
}

/** Groups have entries too, with an odd first byte (IEEE 802, the I/G bit). */
function isUnicast(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
}

async function answerOf(netlink: RouteNetlink, linkIndex: number, address: string) {
  for (const bytes of await dumpNeighbours(netlink)) {
    const found = decodeNeighbourAnswer(bytes, linkIndex, address);
    if (found !== null) return found;
  }
  return null;
}

function dumpNeighbours(netlink: RouteNetlink): Promise<Buffer[]> {
  return netlink.dump(
    "neighbour list",
    MessageType.getNeighbour,
    neighbourDumpRequest("neighbours"),
  );
}
