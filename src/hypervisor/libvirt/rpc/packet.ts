import { programVersion } from "./programs.ts";

/** What a packet is (`virNetMessageType`). */
export const MessageType = {
  call: 0,
  reply: 1,
  /** Either side tells the other something; no reply follows. */
  event: 2,
  stream: 3,
  callWithFiles: 4,
  replyWithFiles: 5,
} as const;

/** How a call went (`virNetMessageStatus`); `ok` in everything but replies and streams. */
export const MessageStatus = { ok: 0, error: 1, continue: 2 } as const;

/** `virNetMessageHeader`. */
export interface PacketHeader {
  program: number;
  version: number;
  procedure: number;
  type: number;
  /** That of the call, in a reply. */
  serial: number;
  status: number;
}

export interface Packet {
  header: PacketHeader;
  payload: Buffer;
}

/** Length and header together. */
export const headerBytes = 28;

/** A whole packet: its length, the header, the payload (`virnetprotocol.x`, "RPC wire format"). */
export function encodePacket(header: PacketHeader, payload: Uint8Array): Buffer {
  const packet = Buffer.allocUnsafe(headerBytes + payload.length);
  packet.writeUInt32BE(packet.length, 0);
  packet.writeUInt32BE(header.program, 4);
  packet.writeUInt32BE(header.version, 8);
  packet.writeInt32BE(header.procedure, 12);
  packet.writeInt32BE(header.type, 16);
  packet.writeUInt32BE(header.serial, 20);
  packet.writeInt32BE(header.status, 24);
  packet.set(payload, headerBytes);
  return packet;
}

/** The length that the packet claims and its header. @param bytes at least `headerBytes` of them. */
export function decodeHeader(bytes: Buffer): { packetBytes: number; header: PacketHeader } {
  return {
    packetBytes: bytes.readUInt32BE(0),
    header: {
      program: bytes.readUInt32BE(4),
      version: bytes.readUInt32BE(8),
      procedure: bytes.readInt32BE(12),
      type: bytes.readInt32BE(16),
      serial: bytes.readUInt32BE(20),
      status: bytes.readInt32BE(24),
    },
  };
}

export function callHeader(program: number, procedure: number, serial: number): PacketHeader {
  const { call: type } = MessageType;
  return { program, version: programVersion, procedure, type, serial, status: MessageStatus.ok };
}
