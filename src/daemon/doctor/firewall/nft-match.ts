import {
  type Answer,
  anyOf,
  type Condition,
  inPrefix,
  inRange,
  matchesDevice,
  not,
  type Packet,
  protocolNumbers,
  same,
  toNumber,
} from "./packet.ts";

type Json = Record<string, unknown>;

/** One value of a packet against one right-hand side that is no set. */
type Compare = (packet: Packet, right: unknown) => Answer;

/** A `match` of libnftables-json(5); its answer cannot be told where it is not understood. */
export function conditionOf(match: unknown, elements: (set: string) => unknown): Condition {
  if (!isObject(match)) return unknown;
  const compare = comparisonOf(match.left);
  const { op, right } = match;
  if (compare === null) return unknown;
  if (op === "!=") return (packet) => not(matches(packet, compare, right, elements));
  if (op === "==" || op === "in" || op === undefined) {
    return (packet) => matches(packet, compare, right, elements);
  }
  return unknown;
}

const unknown: Condition = () => null;

function matches(
  packet: Packet,
  compare: Compare,
  right: unknown,
  elements: (set: string) => unknown,
): Answer {
  if (typeof right === "string" && right.startsWith("@")) {
    const members = elements(right.slice(1));
    return Array.isArray(members) ? matchesOne(packet, compare, members) : null;
  }
  if (Array.isArray(right)) return matchesOne(packet, compare, right);
  if (isObject(right) && Array.isArray(right.set)) return matchesOne(packet, compare, right.set);
  return compare(packet, right);
}

function matchesOne(packet: Packet, compare: Compare, members: readonly unknown[]): Answer {
  const value = (member: unknown) =>
    isObject(member) && isObject(member.elem) ? member.elem.val : member;
  return anyOf(members.map((member) => compare(packet, value(member))));
}

function comparisonOf(left: unknown): Compare | null {
  if (!isObject(left)) return null;
  if (isObject(left.meta)) return metaComparison(left.meta.key);
  if (isObject(left.payload)) return payloadComparison(left.payload);
  if (isObject(left.ct) && left.ct.key === "state") {
    return ({ connection }, right) => (typeof right === "string" ? right === connection : null);
  }
  return null;
}

function metaComparison(key: unknown): Compare | null {
  switch (key) {
    case "l4proto":
      return protocolIs;
    case "nfproto":
      return (_packet, right) => (typeof right === "string" ? right === "ipv4" : null);
    case "protocol":
      return (_packet, right) => (typeof right === "string" ? right === "ip" : null);
    case "iifname":
    case "iif":
      return ({ inputDevice }, right) => deviceIs(inputDevice, right);
    case "oifname":
    case "oif":
      return ({ outputDevice }, right) => deviceIs(outputDevice, right);
    default:
      return null;
  }
}

function payloadComparison({ protocol, field }: Json): Compare | null {
  if (protocol === "ip6" || protocol === "icmpv6" || protocol === "arp") return () => false;
  if (protocol === "ip") {
    if (field === "protocol") return protocolIs;
    if (field === "saddr") return ({ source }, right) => addressIs(source, right);
    if (field === "daddr") return ({ destination }, right) => addressIs(destination, right);
    return null;
  }
  const number = protocol === "th" ? null : protocolNumbers[String(protocol)];
  if (number === undefined) return null;
  const port = (packet: Packet) =>
    field === "dport" ? packet.destinationPort : field === "sport" ? packet.sourcePort : null;
  return (packet, right) => {
    const isIt = number === null ? hasPorts(packet) : same(packet.protocol, number);
    return isIt === false ? false : portIs(port(packet), right);
  };
}

function hasPorts({ protocol }: Packet): Answer {
  return protocol === null ? null : protocol === 6 || protocol === 17;
}

function protocolIs({ protocol }: Packet, right: unknown): Answer {
  const wanted = typeof right === "number" ? right : numberOf(String(right));
  return wanted === null ? null : same(protocol, wanted);
}

function numberOf(name: string): number | null {
  if (/^\d{1,3}$/.test(name)) return Number(name);
  return protocolNumbers[name] ?? (/^[a-z0-9-]+$/.test(name) ? -1 : null);
}

function deviceIs(device: string | null, right: unknown): Answer {
  return typeof right === "string" ? matchesDevice(device, right, "*") : null;
}

function addressIs(address: string | null, right: unknown): Answer {
  if (typeof right === "string") return inPrefix(address, right, 32);
  if (!isObject(right)) return null;
  if (isObject(right.prefix)) {
    return inPrefix(address, String(right.prefix.addr), Number(right.prefix.len));
  }
  if (Array.isArray(right.range)) {
    const [first, last] = right.range.map((one) => toNumber(String(one)) ?? Number.NaN);
    const value = address === null ? null : toNumber(address);
    return inRange(value, first ?? Number.NaN, last ?? Number.NaN);
  }
  return null;
}

function portIs(port: number | null, right: unknown): Answer {
  if (typeof right === "number") return same(port, right);
  if (isObject(right) && Array.isArray(right.range)) {
    return inRange(port, Number(right.range[0]), Number(right.range[1]));
  }
  return null;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
