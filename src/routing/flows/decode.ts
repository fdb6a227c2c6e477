import {
  type Attributes,
  addressOf,
  attributesOf,
  byteOf,
  malformed,
  networkNumberOf,
  parseAttributes,
} from "../netlink/attributes.ts";
import { type FlowTuple, ipProtocol, type TrackedFlow } from "./tracked-flow.ts";
import {
  cta,
  ctaCounters,
  ctaInfo,
  ctaIp,
  ctaProtocol,
  ctaSctp,
  ctaTcp,
  ctaTimestamp,
  ctaTuple,
  flowStatus,
  genericHeaderBytes,
  ipv4Family,
  statesOf,
  tcpFlag,
} from "./wire.ts";

/**
 * An entry as `IPCTNL_MSG_CT_GET` tells it; null for one that is not of IPv4.
 * @throws SojournError `SOJ_NETLINK_MALFORMED`.
 */
export function decodeFlow(bytes: Buffer): TrackedFlow | null {
  if (bytes.length < genericHeaderBytes) throw malformed("flow header");
  if (bytes[0] !== ipv4Family) return null;
  const all = parseAttributes(bytes, genericHeaderBytes);
  const [original, reply] = [attributesOf(all, cta.original), attributesOf(all, cta.reply)];
  const id = networkNumberOf(all, cta.id, 4);
  if (original === null || reply === null || id === null) throw malformed("flow without its ends");
  const status = networkNumberOf(all, cta.status, 4) ?? 0;
  const protocol = protocolOf(original);
  return {
    id: `${id}`,
    protocol,
    expiresS: networkNumberOf(all, cta.timeout, 4),
    original: tupleOf(original, attributesOf(all, cta.countersOriginal)),
    reply: tupleOf(reply, attributesOf(all, cta.countersReply)),
    replied: (status & flowStatus.seenReply) !== 0,
    assured: (status & flowStatus.assured) !== 0,
    expected: (status & flowStatus.expected) !== 0,
    mark: networkNumberOf(all, cta.mark, 4) ?? 0,
    zone: zoneOf(all) || zoneOf(original, ctaTuple.zone) || zoneOf(reply, ctaTuple.zone),
    startedMs: startOf(all),
    ...protocolStateOf(protocol, attributesOf(all, cta.protocolInfo)),
  };
}

function protocolOf(tuple: Attributes): number {
  const found = attributesOf(tuple, ctaTuple.protocol);
  const number = found === null ? null : byteOf(found, ctaProtocol.number);
  if (number === null) throw malformed("flow without a protocol");
  return number;
}

function tupleOf(tuple: Attributes, counters: Attributes | null): FlowTuple {
  const addresses = attributesOf(tuple, ctaTuple.addresses);
  const ends = attributesOf(tuple, ctaTuple.protocol);
  const source = addresses === null ? null : addressOf(addresses, ctaIp.source);
  const destination = addresses === null ? null : addressOf(addresses, ctaIp.destination);
  if (source === null || destination === null) throw malformed("flow without addresses");
  const port = (type: number) => (ends === null ? null : networkNumberOf(ends, type, 2));
  const count = (type: number) => (counters === null ? null : networkNumberOf(counters, type, 8));
  return {
    source,
    destination,
    sourcePort: port(ctaProtocol.sourcePort),
    destinationPort: port(ctaProtocol.destinationPort),
    icmp: ends === null ? null : icmpOf(ends),
    packets: count(ctaCounters.packets),
    bytes: count(ctaCounters.bytes),
  };
}

function icmpOf(ends: Attributes): FlowTuple["icmp"] {
  const [type, code] = [byteOf(ends, ctaProtocol.icmpType), byteOf(ends, ctaProtocol.icmpCode)];
  const id = networkNumberOf(ends, ctaProtocol.icmpId, 2);
  return type === null || code === null || id === null ? null : { type, code, id };
}

/** Of the whole entry, or of one direction only. */
function zoneOf(attributes: Attributes, type: number = cta.zone): number {
  return networkNumberOf(attributes, type, 2) ?? 0;
}

function startOf(all: Attributes): number | null {
  const times = attributesOf(all, cta.timestamp);
  const startNs = times === null ? null : networkNumberOf(times, ctaTimestamp.start, 8);
  return startNs === null ? null : Math.floor(startNs / 1e6);
}

function protocolStateOf(protocol: number, info: Attributes | null) {
  const unknown = { state: null, windowScale: null, verificationTags: null };
  const tcp = info === null ? null : attributesOf(info, ctaInfo.tcp);
  const sctp = info === null ? null : attributesOf(info, ctaInfo.sctp);
  if (protocol === ipProtocol.tcp && tcp !== null) {
    const state = stateOf(protocol, byteOf(tcp, ctaTcp.state));
    return { ...unknown, state, windowScale: scaleOf(tcp) };
  }
  if (protocol !== ipProtocol.sctp || sctp === null) return unknown;
  const original = networkNumberOf(sctp, ctaSctp.tagOriginal, 4);
  const reply = networkNumberOf(sctp, ctaSctp.tagReply, 4);
  const verificationTags = original === null || reply === null ? null : { original, reply };
  return { ...unknown, state: stateOf(protocol, byteOf(sctp, ctaSctp.state)), verificationTags };
}

/** A newer kernel may have states that have no name here. */
function stateOf(protocol: number, number: number | null): string | null {
  return number === null ? null : (statesOf.get(protocol)?.[number] ?? `STATE_${number}`);
}

/** Both ends must have offered it in their SYNs (RFC 7323, 2.2). */
function scaleOf(tcp: Attributes): TrackedFlow["windowScale"] {
  // `struct nf_ct_tcp_flags`: flags, mask.
  const offered = [ctaTcp.flagsOriginal, ctaTcp.flagsReply].every(
    (type) => ((tcp.get(type)?.[0] ?? 0) & tcpFlag.windowScale) !== 0,
  );
  const original = byteOf(tcp, ctaTcp.scaleOriginal);
  const reply = byteOf(tcp, ctaTcp.scaleReply);
  return offered && original !== null && reply !== null ? { original, reply } : null;
}
