import type { KernelAddress } from "../kernel-state.ts";
import { addressOf, malformed, parseAttributes } from "./attributes.ts";
import { ipv4DumpRequest, ipv4Family } from "./ipv4.ts";

/** linux/if_addr.h */
const ifa = { local: 2 } as const;
const headerBytes = 8;

/** A request for all IPv4 addresses. */
export function addressDumpRequest(): Buffer {
  return ipv4DumpRequest(headerBytes);
}

/** Null for an address of another family. @throws SojournError `SOJ_NETLINK_MALFORMED`. */
export function decodeAddress(
  bytes: Buffer,
  linkName: (index: number) => string,
): KernelAddress | null {
  if (bytes.length < headerBytes) throw malformed("address header");
  if (bytes[0] !== ipv4Family) return null;
  const address = addressOf(parseAttributes(bytes, headerBytes), ifa.local);
  return address === null ? null : { device: linkName(bytes.readInt32LE(4)), address };
}
