import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";

/**
 * Bytes that this host's TCP connections to a port still have to bring there: written by their programs, not yet
 * acknowledged (proc_net(5), `tx_queue`). 0 where that cannot be read, and over IPv6.
 */
export function unsentBytes(address: string, port: number): number {
  try {
    return unsentIn(readFileSync("/proc/self/net/tcp", "latin1"), address, port);
  } catch {
    return 0;
  }
}

/** The same, from the text of that table. Pure. */
export function unsentIn(table: string, address: string, port: number): number {
  if (!isIPv4(address)) return 0;
  const remote = `${hexAddress(address)}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  let sum = 0;
  for (const line of table.split("\n")) {
    if (!line.includes(remote)) continue;
    const cells = line.trim().split(/\s+/);
    const queued = /^([0-9A-F]{8}):/.exec(cells[4] ?? "")?.[1];
    if (cells[2] === remote && queued !== undefined) sum += Number.parseInt(queued, 16);
  }
  return sum;
}

/** As the kernel prints it: the four bytes as one number of the machine, which is little-endian. */
function hexAddress(address: string): string {
  const bytes = address.split(".").toReversed().map(Number);
  return Buffer.from(bytes).toString("hex").toUpperCase();
}
