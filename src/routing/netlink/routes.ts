import { mainTable, type Route } from "../desired.ts";
import type { KernelRoute } from "../kernel-state.ts";
import {
  addressAttribute,
  addressOf,
  malformed,
  nestedAttribute,
  numberAttribute,
  numberOf,
  parseAttributes,
} from "./attributes.ts";
import { ipv4DumpRequest, ipv4Family } from "./ipv4.ts";

/** linux/rtnetlink.h: RTA_…, RTAX_…, RTN_…, RT_SCOPE_…, RTM_F_…, RTNH_F_… */
const rta = {
  destination: 1,
  outputLink: 4,
  gateway: 5,
  priority: 6,
  preferredSource: 7,
  metrics: 8,
  multipath: 9,
  table: 15,
} as const;
const metricMtu = 2;
const routeType = { unicast: 1, unreachable: 7, throw: 9 } as const;
const routeTypes = ["unicast", "unreachable", "throw"] as const;
const scope = { universe: 0, link: 253, nowhere: 255 } as const;
const clonedFlag = 0x200;
const onlinkFlag = 4;
const headerBytes = 12;

/** A request for all IPv4 routes of all tables. */
export function routeDumpRequest(): Buffer {
  return ipv4DumpRequest(headerBytes);
}

/** `struct rtmsg` with attributes for adding or replacing `route`; `linkIndex` null only without device. */
export function encodeRoute(route: Route, protocol: number, linkIndex: number | null): Buffer {
  const direct = route.type === "unicast" && route.via === null;
  const parts = [header(route, protocol, direct ? scope.link : scope.universe)];
  addKey(parts, route, linkIndex);
  if (route.via !== null) parts.push(addressAttribute(rta.gateway, route.via));
  if (route.mtu !== null) {
    parts.push(nestedAttribute(rta.metrics, [numberAttribute(metricMtu, route.mtu)]));
  }
  return Buffer.concat(parts);
}

/** `struct rtmsg` with attributes that match `route` for removal, only with `protocol`. */
export function encodeRouteRemoval(
  route: Route,
  protocol: number,
  linkIndex: number | null,
): Buffer {
  const parts = [header(route, protocol, scope.nowhere)];
  addKey(parts, route, linkIndex);
  return Buffer.concat(parts);
}

/** A request for the route that a packet from this host to `address` takes. */
export function routeLookupRequest(address: string): Buffer {
  const head = Buffer.alloc(headerBytes);
  head[0] = ipv4Family;
  head[1] = 32;
  return Buffer.concat([head, addressAttribute(rta.destination, address)]);
}

/** @throws SojournError `SOJ_NETLINK_MALFORMED`. */
export function decodeRouteLookup(bytes: Buffer): {
  linkIndex: number | null;
  sourceAddress: string | null;
} {
  const attributes = parseAttributes(bytes, headerBytes);
  return {
    linkIndex: numberOf(attributes, rta.outputLink),
    sourceAddress: addressOf(attributes, rta.preferredSource),
  };
}

/**
 * A dumped route, or null for what is not a table entry (clones).
 * @throws SojournError `SOJ_NETLINK_MALFORMED`.
 */
export function decodeRoute(
  bytes: Buffer,
  linkName: (index: number) => string,
): KernelRoute | null {
  if (bytes.length < headerBytes) throw malformed("route header");
  const attributes = parseAttributes(bytes, headerBytes);
  if (bytes[0] !== ipv4Family || bytes.readUInt32LE(8) & clonedFlag) return null;
  const type = routeTypes.find((name) => routeType[name] === bytes.readUInt8(7));
  const length = bytes.readUInt8(1);
  if (length > 32) throw malformed("route prefix length");
  const link = numberOf(attributes, rta.outputLink);
  const metrics = attributes.get(rta.metrics);
  return {
    table: numberOf(attributes, rta.table) ?? bytes.readUInt8(4),
    prefix: prefixText(addressOf(attributes, rta.destination), length),
    type: type ?? "unicast",
    device: link === null ? null : linkName(link),
    via: addressOf(attributes, rta.gateway),
    mtu: metrics === undefined ? null : numberOf(parseAttributes(metrics, 0), metricMtu),
    protocol: bytes.readUInt8(5),
    metric: numberOf(attributes, rta.priority) ?? 0,
    unusual: bytes.readUInt8(3) !== 0 || attributes.has(rta.multipath) || type === undefined,
  };
}

/** `10.1.0.0/16`, `default` for the whole. */
export function prefixText(address: string | null, length: number): string {
  return length === 0 ? "default" : `${address ?? "0.0.0.0"}/${length}`;
}

function header(route: Route, protocol: number, routeScope: number): Buffer {
  const head = Buffer.alloc(headerBytes);
  head[0] = ipv4Family;
  head[1] = prefixParts(route.prefix).length;
  head[4] = route.table < 256 ? route.table : 0;
  head[5] = protocol;
  head[6] = routeScope;
  head[7] = routeType[route.type];
  head.writeUInt32LE(route.via === null ? 0 : onlinkFlag, 8);
  return head;
}

function addKey(parts: Buffer[], route: Route, linkIndex: number | null): void {
  const { address, length } = prefixParts(route.prefix);
  if (length > 0) parts.push(addressAttribute(rta.destination, address));
  parts.push(numberAttribute(rta.table, route.table === 0 ? mainTable : route.table));
  if (linkIndex !== null) parts.push(numberAttribute(rta.outputLink, linkIndex));
}

function prefixParts(prefix: string): { address: string; length: number } {
  if (prefix === "default") return { address: "0.0.0.0", length: 0 };
  const [address, length] = prefix.split("/");
  return { address: address ?? "", length: length === undefined ? 32 : Number(length) };
}
