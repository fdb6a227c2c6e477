import { networkInterfaces } from "node:os";

/** Whether this host (its network namespace) has the IPv4 address itself, on any interface that is up. */
export function isOwnAddress(address: string): boolean {
  const all = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return all.some((found) => found.address === address);
}
