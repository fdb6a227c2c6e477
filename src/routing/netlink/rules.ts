import type { PacketMark } from "../desired.ts";
import type { KernelRule } from "../kernel-state.ts";
import {
  type Attributes,
  addressOf,
  malformed,
  nameOf,
  numberOf,
  parseAttributes,
} from "./attributes.ts";
import { ipv4DumpRequest } from "./ipv4.ts";
import { prefixText } from "./routes.ts";

/** linux/fib_rules.h: FRA_… */
const fra = {
  destination: 1,
  source: 2,
  inputName: 3,
  goTo: 4,
  priority: 6,
  mark: 10,
  tunnelId: 12,
  suppressPrefixLength: 14,
  table: 15,
  outputName: 17,
  uidRange: 20,
  protocol: 21,
  ipProtocol: 22,
  sourcePorts: 23,
  destinationPorts: 24,
  markMask: 16,
} as const;
const unusualAttributes = [
  fra.goTo,
  fra.tunnelId,
  fra.outputName,
  fra.uidRange,
  fra.ipProtocol,
  fra.sourcePorts,
  fra.destinationPorts,
];
const toTable = 1;
const invertFlag = 2;
const headerBytes = 12;
const noSuppression = 0xffffffff;
/** Routes whose prefixes are no longer than this are passed over: all but those to single addresses. */
const hostRoutesOnly = 31;

/** A request for all IPv4 rules. */
export function ruleDumpRequest(): Buffer {
  return ipv4DumpRequest(headerBytes);
}

/** @throws SojournError `SOJ_NETLINK_MALFORMED`. */
export function decodeRule(bytes: Buffer): KernelRule {
  if (bytes.length < headerBytes) throw malformed("rule header");
  const attributes = parseAttributes(bytes, headerBytes);
  const suppressed = numberOf(attributes, fra.suppressPrefixLength) ?? noSuppression;
  const protocol = attributes.get(fra.protocol);
  return {
    priority: numberOf(attributes, fra.priority) ?? 0,
    table: numberOf(attributes, fra.table) ?? bytes.readUInt8(4),
    iif: nameOf(attributes, fra.inputName),
    from: selector(addressOf(attributes, fra.source), bytes.readUInt8(2)),
    to: selector(addressOf(attributes, fra.destination), bytes.readUInt8(1)),
    ...markOf(attributes),
    ...(suppressed === hostRoutesOnly ? { hostRoutesOnly: true } : {}),
    protocol: protocol?.length === 1 ? protocol.readUInt8(0) : 0,
    unusual:
      bytes.readUInt8(3) !== 0 ||
      bytes.readUInt8(7) !== toTable ||
      (bytes.readUInt32LE(8) & invertFlag) !== 0 ||
      ![noSuppression, hostRoutesOnly].includes(suppressed) ||
      unusualAttributes.some((type) => attributes.has(type)),
  };
}

/** The kernel tells no mask of 0: such a rule looks at no mark. */
function markOf(attributes: Attributes): { mark?: PacketMark } {
  const mask = numberOf(attributes, fra.markMask);
  if (mask === null) return {};
  return { mark: { value: numberOf(attributes, fra.mark) ?? 0, mask } };
}

function selector(address: string | null, length: number): string | null {
  if (length > 32) throw malformed("rule prefix length");
  return length === 0 ? null : prefixText(address, length);
}
