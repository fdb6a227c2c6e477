import type {
  KernelAddress,
  KernelFdbEntry,
  KernelLink,
  KernelNeighbour,
  KernelRoute,
  KernelRule,
} from "../kernel-state.ts";
import { addressDumpRequest, decodeAddress } from "./addresses.ts";
import { decodeLink, linkDumpRequest, linkIndexRequest, linkRequest } from "./links.ts";
import { decodeFdbEntry, decodeNeighbour, neighbourDumpRequest } from "./neighbours.ts";
import { decodeRoute, decodeRouteLookup, routeDumpRequest, routeLookupRequest } from "./routes.ts";
import { decodeRule, ruleDumpRequest } from "./rules.ts";
import { MessageType, NetlinkError, type RouteNetlink } from "./socket.ts";

export interface NetlinkSnapshot {
  links: KernelLink[];
  addresses: KernelAddress[];
  routes: KernelRoute[];
  rules: KernelRule[];
  neighbours: KernelNeighbour[];
  fdb: KernelFdbEntry[];
}

/** Reads links, IPv4 addresses, routes of all tables, rules, neighbours with proxies, and bridge tables. */
export async function readSnapshot(netlink: RouteNetlink): Promise<NetlinkSnapshot> {
  const decodedLinks = (
    await netlink.dump("link list", MessageType.getLink, linkDumpRequest())
  ).map(decodeLink);
  const names = new Map(decodedLinks.map((link) => [link.index, link.name]));
  const linkName = (index: number) => names.get(index) ?? `if${index}`;
  const addresses = await netlink.dump(
    "address list",
    MessageType.getAddress,
    addressDumpRequest(),
  );
  const routes = await netlink.dump("route list", MessageType.getRoute, routeDumpRequest());
  const rules = await netlink.dump("rule list", MessageType.getRule, ruleDumpRequest());
  const neighbours = await dumpNeighbours(netlink, "neighbours");
  const proxies = await dumpNeighbours(netlink, "proxies");
  const fdb = await dumpNeighbours(netlink, "fdb");
  return {
    links: decodedLinks.map(({ masterIndex, ...link }) => ({
      ...link,
      master: masterIndex === null ? null : linkName(masterIndex),
    })),
    addresses: addresses.map((bytes) => decodeAddress(bytes, linkName)).filter(isPresent),
    routes: routes.map((bytes) => decodeRoute(bytes, linkName)).filter(isPresent),
    rules: rules.map(decodeRule),
    neighbours: [...neighbours, ...proxies]
      .map((bytes) => decodeNeighbour(bytes, linkName))
      .filter(isPresent),
    fdb: fdb.map((bytes) => decodeFdbEntry(bytes, linkName)).filter(isPresent),
  };
}

/** The link with this name, or with this number; null when there is none. */
export async function readLink(
  netlink: RouteNetlink,
  link: string | number,
): Promise<KernelLink | null> {
  const request = typeof link === "string" ? linkRequest(link) : linkIndexRequest(link);
  try {
    const messages = await netlink.request(`link show ${link}`, MessageType.getLink, request);
    const first = messages[0];
    return first === undefined ? null : decodeLink(first.data);
  } catch (error) {
    if (error instanceof NetlinkError && error.errnoName === "ENODEV") return null;
    throw error;
  }
}

/**
 * The link and local address towards `address`.
 * @throws NetlinkError e.g. `SOJ_NETLINK_ENETUNREACH`.
 */
export async function lookUpRoute(netlink: RouteNetlink, address: string) {
  const [answer] = await netlink.request(
    `route get ${address}`,
    MessageType.getRoute,
    routeLookupRequest(address),
  );
  return answer === undefined ? null : decodeRouteLookup(answer.data);
}

function dumpNeighbours(netlink: RouteNetlink, kind: "neighbours" | "proxies" | "fdb") {
  return netlink.dump(`${kind} list`, MessageType.getNeighbour, neighbourDumpRequest(kind));
}

function isPresent<Value>(value: Value | null): value is Value {
  return value !== null;
}
