import { SojournError } from "../../platform/errors.ts";

/** Attributes of one netlink message by type (flag bits cut off); for repeated types the last. */
export type Attributes = ReadonlyMap<number, Buffer>;

const typeMask = 0x3fff;
const nestedFlag = 0x8000;
const headerBytes = 4;

/** One attribute as bytes, padded to four (`struct nlattr`, linux/netlink.h; little-endian hosts). */
export function attribute(type: number, value: Buffer): Buffer {
  const length = headerBytes + value.length;
  const bytes = Buffer.alloc(align(length));
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, headerBytes);
  return bytes;
}

/** An attribute that holds an unsigned 32-bit number. */
export function numberAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return attribute(type, bytes);
}

/** An attribute that holds a number of one byte. */
export function byteAttribute(type: number, value: number): Buffer {
  return attribute(type, Buffer.from([value]));
}

/** An attribute that holds an unsigned 16-bit number as netfilter has it: in network byte order. */
export function networkShortAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value, 0);
  return attribute(type, bytes);
}

/** An attribute that holds an unsigned 32-bit number as netfilter has it: in network byte order. */
export function networkNumberAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return attribute(type, bytes);
}

/** An attribute that holds a NUL-terminated name. */
export function nameAttribute(type: number, name: string): Buffer {
  return attribute(type, Buffer.from(`${name}\0`, "latin1"));
}

/** An attribute that holds an IPv4 address. */
export function addressAttribute(type: number, address: string): Buffer {
  return attribute(type, Buffer.from(address.split(".").map(Number)));
}

/** An attribute that holds attributes. */
export function nestedAttribute(type: number, inner: readonly Buffer[]): Buffer {
  return attribute(type | nestedFlag, Buffer.concat(inner));
}

/**
 * Reads the attributes from `offset` to the end.
 * @throws SojournError `SOJ_NETLINK_MALFORMED` when a length does not fit.
 */
export function parseAttributes(bytes: Buffer, offset: number): Attributes {
  const found = new Map<number, Buffer>();
  if (bytes.length < offset) throw malformed("message shorter than its header");
  let position = offset;
  while (bytes.length - position >= headerBytes) {
    const length = bytes.readUInt16LE(position);
    if (length < headerBytes || position + length > bytes.length) {
      throw malformed("attribute longer than its message");
    }
    const type = bytes.readUInt16LE(position + 2) & typeMask;
    found.set(type, bytes.subarray(position + headerBytes, position + length));
    position += align(length);
  }
  return found;
}

/** @throws SojournError `SOJ_NETLINK_MALFORMED` when it is there and not four bytes long. */
export function numberOf(attributes: Attributes, type: number): number | null {
  const value = attributes.get(type);
  if (value === undefined) return null;
  if (value.length !== 4) throw malformed(`attribute ${type} is not a number`);
  return value.readUInt32LE(0);
}

/** @throws SojournError `SOJ_NETLINK_MALFORMED` when it is there and not of one byte. */
export function byteOf(attributes: Attributes, type: number): number | null {
  const value = attributes.get(type);
  if (value === undefined) return null;
  if (value.length !== 1) throw malformed(`attribute ${type} is not one byte`);
  return value.readUInt8(0);
}

/**
 * A number of two, four or eight bytes in network byte order; above 2^53 it is rounded.
 * @throws SojournError `SOJ_NETLINK_MALFORMED` when it is there and of another length.
 */
export function networkNumberOf(
  attributes: Attributes,
  type: number,
  bytes: 2 | 4 | 8,
): number | null {
  const value = attributes.get(type);
  if (value === undefined) return null;
  if (value.length !== bytes)
    throw malformed(`attribute ${type} is not a number of ${bytes} bytes`);
  if (bytes === 8) return value.readUInt32BE(0) * 2 ** 32 + value.readUInt32BE(4);
  return bytes === 4 ? value.readUInt32BE(0) : value.readUInt16BE(0);
}

/** The attributes in an attribute; null when it is not there. @throws SojournError `SOJ_NETLINK_MALFORMED`. */
export function attributesOf(attributes: Attributes, type: number): Attributes | null {
  const value = attributes.get(type);
  return value === undefined ? null : parseAttributes(value, 0);
}

/** @throws SojournError `SOJ_NETLINK_MALFORMED` when it is there and not four bytes long. */
export function addressOf(attributes: Attributes, type: number): string | null {
  const value = attributes.get(type);
  if (value === undefined) return null;
  if (value.length !== 4) throw malformed(`attribute ${type} is not an IPv4 address`);
  return value.join(".");
}

/** The name up to its NUL; null when there is none. */
export function nameOf(attributes: Attributes, type: number): string | null {
  const value = attributes.get(type);
  if (value === undefined) return null;
  const end = value.indexOf(0);
  return value.toString("latin1", 0, end === -1 ? value.length : end);
}

/** A link-layer address in colon notation; null when it is absent or not six bytes long. */
export function macOf(attributes: Attributes, type: number): string | null {
  const value = attributes.get(type);
  if (value?.length !== 6) return null;
  return Array.from(value, (octet) => octet.toString(16).padStart(2, "0")).join(":");
}

export function malformed(what: string): SojournError {
  return new SojournError(
    "SOJ_NETLINK_MALFORMED",
    `the kernel's netlink answer is malformed: ${what}`,
  );
}

function align(length: number): number {
  return (length + 3) & ~3;
}
