import { missingDevice } from "../failures.ts";
import { readLink } from "../netlink/reader.ts";
import { RouteNetlink } from "../netlink/socket.ts";

/** @throws SojournError `SOJ_ROUTING_NO_DEVICE` unless it is a bridge. */
export async function readBridge(name: string): Promise<{ mac: string; mtu: number }> {
  using netlink = new RouteNetlink();
  const link = await readLink(netlink, name);
  if (link?.kind !== "bridge" || link.mac === null) throw missingDevice(name, "bridge");
  return { mac: link.mac, mtu: link.mtu };
}

/** MTU in bytes. @throws SojournError `SOJ_ROUTING_NO_DEVICE`. */
export async function readMtu(name: string): Promise<number> {
  using netlink = new RouteNetlink();
  const link = await readLink(netlink, name);
  if (link === null) throw missingDevice(name, "interface");
  return link.mtu;
}
