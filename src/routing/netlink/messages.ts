import { getSystemErrorName } from "node:util";
import { malformed } from "./attributes.ts";

/** One netlink message without its header (`struct nlmsghdr`, linux/netlink.h; little-endian hosts). */
export interface NetlinkMessage {
  type: number;
  flags: number;
  sequence: number;
  data: Buffer;
}

/** Types that every netlink protocol has. */
export const controlType = { error: 2, done: 3 } as const;

/** Flags of linux/netlink.h. */
export const MessageFlag = {
  request: 0x01,
  acknowledge: 0x04,
  dumpInterrupted: 0x10,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  dump: 0x300,
} as const;

const headerBytes = 16;

/** A message as bytes, padded to four. The port in it is 0: the kernel knows its sender. */
export function encodeMessage({ type, flags, sequence, data }: NetlinkMessage): Buffer {
  const length = headerBytes + data.length;
  const bytes = Buffer.alloc((length + 3) & ~3);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(sequence, 8);
  data.copy(bytes, headerBytes);
  return bytes;
}

/**
 * The messages of one datagram.
 * @throws SojournError `SOJ_NETLINK_MALFORMED` when a length does not fit.
 */
export function decodeMessages(datagram: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let start = 0; start < datagram.length; ) {
    if (datagram.length - start < headerBytes) throw malformed("message header");
    const length = datagram.readUInt32LE(start);
    if (length < headerBytes || start + length > datagram.length) throw malformed("message length");
    messages.push({
      type: datagram.readUInt16LE(start + 4),
      flags: datagram.readUInt16LE(start + 6),
      sequence: datagram.readUInt32LE(start + 8),
      data: datagram.subarray(start + headerBytes, start + length),
    });
    start += (length + 3) & ~3;
  }
  return messages;
}

/** The name of the errno that an answer tells, e.g. `ESRCH`; null when it is not about an error. */
export function errnoNameIn({ type, data }: NetlinkMessage): string | null {
  const isControl = type === controlType.error || type === controlType.done;
  if (!isControl || data.length < 4) return null;
  const errno = data.readInt32LE(0);
  if (errno >= 0) return null;
  try {
    return getSystemErrorName(errno);
  } catch {
    return `ERRNO_${-errno}`;
  }
}
