import type { KernelFdbEntry, KernelNeighbour } from "../kernel-state.ts";
import {
  addressAttribute,
  addressOf,
  macOf,
  malformed,
  numberOf,
  parseAttributes,
} from "./attributes.ts";
import { ipv4Family } from "./ipv4.ts";

/** linux/neighbour.h: NDA_…, NUD_…, NTF_… */
const nda = { destination: 1, linkAddress: 2, master: 9, protocol: 12 } as const;
const state = { incomplete: 0x01, reachable: 0x02, failed: 0x20, noArp: 0x40, permanent: 0x80 };
const useFlag = 0x01;
const proxyFlag = 0x08;
const bridgeFamily = 7;
const headerBytes = 12;

/** A request for all IPv4 neighbours, or for all that are answered for (`proxy`). */
export function neighbourDumpRequest(kind: "neighbours" | "proxies" | "fdb"): Buffer {
  const header = Buffer.alloc(headerBytes);
  header[0] = kind === "fdb" ? bridgeFamily : ipv4Family;
  header[10] = kind === "proxies" ? proxyFlag : 0;
  return header;
}

/** @throws SojournError `SOJ_NETLINK_MALFORMED`. */
export function decodeNeighbour(
  bytes: Buffer,
  linkName: (index: number) => string,
): KernelNeighbour | null {
  if (bytes.length < headerBytes) throw malformed("neighbour header");
  const attributes = parseAttributes(bytes, headerBytes);
  const address = addressOf(attributes, nda.destination);
  if (bytes[0] !== ipv4Family || address === null) return null;
  const protocol = attributes.get(nda.protocol);
  return {
    device: linkName(bytes.readInt32LE(4)),
    address,
    mac: macOf(attributes, nda.linkAddress),
    proxy: (bytes.readUInt8(10) & proxyFlag) !== 0,
    permanent: (bytes.readUInt16LE(8) & state.permanent) !== 0,
    protocol: protocol?.length === 1 ? protocol.readUInt8(0) : 0,
  };
}

/** Names one IPv4 neighbour; with `isUse`, which the kernel then looks for as for a packet to it (NTF_USE). */
export function neighbourRequest(linkIndex: number, address: string, isUse: boolean): Buffer {
  const header = Buffer.alloc(headerBytes);
  header[0] = ipv4Family;
  header.writeInt32LE(linkIndex, 4);
  header[10] = isUse ? useFlag : 0;
  return Buffer.concat([header, addressAttribute(nda.destination, address)]);
}

/** What the kernel knows of one IPv4 neighbour; null for an entry of another. @throws SojournError */
export function decodeNeighbourAnswer(
  bytes: Buffer,
  linkIndex: number,
  address: string,
): { mac: string | null; answer: "awaited" | "given" | "none" | "old" } | null {
  if (bytes.length < headerBytes) throw malformed("neighbour header");
  const attributes = parseAttributes(bytes, headerBytes);
  const isMeant = bytes.readInt32LE(4) === linkIndex;
  if (!isMeant || addressOf(attributes, nda.destination) !== address) return null;
  const bits = bytes.readUInt16LE(8);
  const mac = macOf(attributes, nda.linkAddress);
  if (bits & (state.reachable | state.permanent | state.noArp)) return { mac, answer: "given" };
  if (bits & state.failed) return { mac: null, answer: "none" };
  return { mac, answer: bits & state.incomplete ? "awaited" : "old" };
}

/**
 * An entry of a bridge's table; null for entries of a device's own filter.
 * @throws SojournError `SOJ_NETLINK_MALFORMED`.
 */
export function decodeFdbEntry(
  bytes: Buffer,
  linkName: (index: number) => string,
): KernelFdbEntry | null {
  if (bytes.length < headerBytes) throw malformed("neighbour header");
  const attributes = parseAttributes(bytes, headerBytes);
  const mac = macOf(attributes, nda.linkAddress);
  const master = numberOf(attributes, nda.master);
  if (bytes[0] !== bridgeFamily || mac === null || master === null) return null;
  const bits = bytes.readUInt16LE(8);
  return {
    device: linkName(bytes.readInt32LE(4)),
    bridge: linkName(master),
    mac,
    kind: bits & state.permanent ? "local" : bits & state.noArp ? "static" : "learned",
  };
}
