import { isIPv6 } from "node:net";

/**
 * What is counted as one client: an IPv4 address, also one inside IPv6 (RFC 4291, 2.5.5.2), or the 64 leading bits of an
 * IPv6 address, below which anybody has as many addresses as they like (RFC 4291, 2.5.4).
 */
export function clientNetwork(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [plain = "", zone] = address.split("%");
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  // What stands behind the gap can reach into the first half only when there are many.
  const behind = tail === undefined || tail === "" ? [] : tail.split(":");
  const width = behind.length + (behind.at(-1)?.includes(".") ? 1 : 0);
  const filled =
    tail === undefined ? groups : [...groups, ...zeros(8 - groups.length - width), ...behind];
  const leading = filled.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${leading.join(":")}::/64${zone === undefined ? "" : `%${zone}`}`;
}

function zeros(count: number): string[] {
  return Array.from({ length: Math.max(count, 0) }, () => "0");
}
