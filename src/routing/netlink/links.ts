import type { LinkCounters } from "../desired.ts";
import type { KernelLink } from "../kernel-state.ts";
import {
  type Attributes,
  macOf,
  malformed,
  nameAttribute,
  nameOf,
  numberAttribute,
  numberOf,
  parseAttributes,
} from "./attributes.ts";

/** linux/if_link.h: IFLA_…, IFLA_INFO_…, IFLA_BRPORT_…; linux/if.h: IFF_… */
const ifla = {
  ...{ address: 1, name: 3, mtu: 4, master: 10, txQueueLength: 13, info: 18, statistics: 23 },
} as const;
/** Offsets in `struct rtnl_link_stats64`, linux/if_link.h. */
const statistics = { txPackets: 8, txBytes: 24, txDropped: 56, bytes: 64 } as const;
const info = { kind: 1, slaveKind: 4, slaveData: 5 } as const;
const bridgePortLearning = 8;
const upFlag = 1;
const headerBytes = 16;

/** A request for all links. */
export function linkDumpRequest(): Buffer {
  return Buffer.alloc(headerBytes);
}

/** A request for the link with this name. */
export function linkRequest(name: string): Buffer {
  return Buffer.concat([Buffer.alloc(headerBytes), nameAttribute(ifla.name, name)]);
}

/** A request for the link with this number. */
export function linkIndexRequest(index: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeInt32LE(index, 4);
  return header;
}

/** @throws SojournError `SOJ_NETLINK_MALFORMED`. */
export function decodeLink(bytes: Buffer): KernelLink & { masterIndex: number | null } {
  if (bytes.length < headerBytes) throw malformed("link header");
  const attributes = parseAttributes(bytes, headerBytes);
  const name = nameOf(attributes, ifla.name);
  if (name === null) throw malformed("link without a name");
  const details = nested(attributes, ifla.info);
  return {
    index: bytes.readInt32LE(4),
    name,
    kind: nameOf(details, info.kind),
    mac: macOf(attributes, ifla.address),
    mtu: numberOf(attributes, ifla.mtu) ?? 0,
    up: (bytes.readUInt32LE(8) & upFlag) !== 0,
    master: null,
    masterIndex: numberOf(attributes, ifla.master),
    txQueueLength: numberOf(attributes, ifla.txQueueLength) ?? 0,
    learning: learningOf(details),
  };
}

/** @throws SojournError `SOJ_NETLINK_MALFORMED`. */
export function decodeCounters(bytes: Buffer): LinkCounters {
  const values = parseAttributes(bytes, headerBytes).get(ifla.statistics);
  if (values === undefined || values.length < statistics.bytes) throw malformed("link statistics");
  return {
    txPackets: Number(values.readBigUInt64LE(statistics.txPackets)),
    txBytes: Number(values.readBigUInt64LE(statistics.txBytes)),
    txDropped: Number(values.readBigUInt64LE(statistics.txDropped)),
  };
}

/** `struct ifinfomsg` that sets the transmit queue's length of the link with this number. */
export function encodeQueueLength(index: number, length: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeInt32LE(index, 4);
  return Buffer.concat([header, numberAttribute(ifla.txQueueLength, length)]);
}

function learningOf(details: Attributes): boolean | null {
  if (nameOf(details, info.slaveKind) !== "bridge") return null;
  const value = nested(details, info.slaveData).get(bridgePortLearning);
  return value === undefined ? null : value[0] !== 0;
}

function nested(attributes: Attributes, type: number): Attributes {
  const inner = attributes.get(type);
  return inner === undefined ? new Map() : parseAttributes(inner, 0);
}
