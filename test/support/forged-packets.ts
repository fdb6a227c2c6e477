import { join } from "node:path";
import type { Run } from "../../src/tunnels/steps.ts";

const program = join(import.meta.dirname, "programs", "packets.pl");

/** Packets that are all alike. */
export interface Forged {
  times: number;
  packet: Buffer;
}

/** Sends them from where `run` runs; resolves to how many there were. */
export async function sendForged(run: Run, forged: readonly Forged[]): Promise<number> {
  const lines = forged.map(({ times, packet }) => `${times} ${packet.toString("hex")}\n`);
  const { stdout } = await run("perl", [program], { input: lines.join(""), timeoutMs: 30_000 });
  return Number(stdout);
}

/** An IPv4 packet (RFC 791) without options whose header is right, but for what is given. */
export function ipv4(header: {
  from: string;
  to: string;
  protocol: number;
  payload: Buffer;
  /** Bytes; as it should be without. */
  totalLength?: number;
  /** Flags and offset, as the header has them. */
  fragment?: number;
}): Buffer {
  const { from, to, protocol, payload, fragment = 0 } = header;
  const bytes = Buffer.alloc(20);
  bytes[0] = 0x45;
  bytes.writeUInt16BE(header.totalLength ?? 20 + payload.length, 2);
  bytes.writeUInt16BE(4711, 4);
  bytes.writeUInt16BE(fragment, 6);
  bytes[8] = 64;
  bytes[9] = protocol;
  Buffer.from(from.split(".").map(Number)).copy(bytes, 12);
  Buffer.from(to.split(".").map(Number)).copy(bytes, 16);
  bytes.writeUInt16BE(checksum(bytes), 10);
  return Buffer.concat([bytes, payload]);
}

/** A UDP datagram (RFC 768) without a checksum. */
export function udp(port: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16BE(9, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.writeUInt16BE(8 + payload.length, 4);
  return Buffer.concat([bytes, payload]);
}

/** A VXLAN datagram's payload (RFC 7348) around an IPv4 packet. */
export function vxlan(vni: number, mac: string, packet: Buffer): Buffer {
  const header = Buffer.from("0800000000000000", "hex");
  header.writeUIntBE(vni, 4, 3);
  const to = Buffer.from(mac.replaceAll(":", ""), "hex");
  return Buffer.concat([header, to, Buffer.from("0200000000990800", "hex"), packet]);
}

function checksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
