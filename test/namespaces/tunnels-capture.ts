import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { findTool, runCommand } from "../../src/platform/command.ts";

/** An IPv4 packet seen on a link, by the fields of its outermost header. */
export interface CapturedPacket {
  source: string;
  destination: string;
  protocol: number;
  ttl: number;
  tos: number;
  identification: number;
  dontFragment: boolean;
  totalLength: number;
  /** True when the header's checksum (RFC 1071) is right. */
  checksumRight: boolean;
  /** The bytes after the header, as far as captured. */
  payload: Buffer;
}

/** Payload of the echo request that ends a capture. */
const lastPattern = "c0ffee00c0ffee11";

/**
 * Captures the IPv4 packets on one link while `during` runs. tcpdump forgets what it has not yet read when it is
 * ended, so a last packet to `neighbour`, left out of the result, is awaited first.
 */
export async function capture(
  { namespace, device, neighbour }: { namespace: string; device: string; neighbour: string },
  during: () => Promise<unknown>,
): Promise<CapturedPacket[]> {
  const args = ["-i", device, "-w", "-", "-U", "--immediate-mode", "-s", "128", "-Z", "root", "ip"];
  const command = ["netns", "exec", namespace, findTool("tcpdump"), "-B", "16384", ...args];
  const child = spawn(findTool("ip"), command, { stdio: ["ignore", "pipe", "pipe"] });
  let file = Buffer.alloc(0);
  const exited = once(child, "close");
  try {
    await saying(child, "listening on");
    await during();
    const ping = ["ping", "-c", "1", "-W", "2", "-p", lastPattern, neighbour];
    await runCommand("ip", ["netns", "exec", namespace, ...ping]);
    for await (const chunk of child.stdout) {
      file = Buffer.concat([file, chunk]);
      if (file.includes(Buffer.from(lastPattern, "hex"))) break;
    }
  } finally {
    child.kill("SIGINT");
    await exited;
  }
  return parse(file).filter(({ payload }) => !payload.includes(Buffer.from(lastPattern, "hex")));
}

/** The packet inside an IP-in-IP packet. */
export function innerPacket(packet: CapturedPacket): CapturedPacket {
  return parsePacket(packet.payload);
}

/** Resolves at the text; standard error stays open after it, or tcpdump would end with SIGPIPE. */
function saying(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr?.on("data", (chunk) => {
      said += chunk;
      if (said.includes(text)) resolve();
    });
    child.once("close", () => reject(new Error(`tcpdump ended: ${said}`)));
  });
}

/** Classic pcap, little endian, link type Ethernet. */
function parse(file: Buffer): CapturedPacket[] {
  const packets: CapturedPacket[] = [];
  let at = 24;
  while (at + 16 <= file.length) {
    const length = file.readUInt32LE(at + 8);
    const frame = file.subarray(at + 16, at + 16 + length);
    packets.push(parsePacket(frame.subarray(14)));
    at += 16 + length;
  }
  return packets;
}

function parsePacket(bytes: Buffer): CapturedPacket {
  const headerBytes = ((bytes[0] ?? 0) & 15) * 4;
  return {
    source: [...bytes.subarray(12, 16)].join("."),
    destination: [...bytes.subarray(16, 20)].join("."),
    protocol: bytes.readUInt8(9),
    ttl: bytes.readUInt8(8),
    tos: bytes.readUInt8(1),
    identification: bytes.readUInt16BE(4),
    dontFragment: (bytes.readUInt16BE(6) & 0x4000) !== 0,
    totalLength: bytes.readUInt16BE(2),
    checksumRight: onesComplementSum(bytes.subarray(0, headerBytes)) === 0xffff,
    payload: bytes.subarray(headerBytes),
  };
}

function onesComplementSum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}
