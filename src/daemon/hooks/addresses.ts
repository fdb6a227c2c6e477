import { BlockList, isIP, isIPv4 } from "node:net";

/**
 * What is not the public internet, or speaks for the machine itself: the IANA IPv4 special-purpose address registry
 * (RFC 6890 and its successors), multicast, and Azure's host agent, which has a public address.
 */
const specialIpv4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
  "168.63.129.16/32",
];

/** Outside of it nothing is global unicast (RFC 4291). */
const globalIpv6 = ["2000::/3"];

/** Inside of it: protocol assignments with Teredo, documentation, 6to4, which hides an IPv4 address, and AS112. */
const specialIpv6 = ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"];

const special = subnetsOf([...specialIpv4, ...specialIpv6]);
const global = subnetsOf(globalIpv6);

/** Whether an address is one of the public internet: not loopback, private, link-local, shared, multicast, …. */
export function isPublicAddress(address: string): boolean {
  const plain = unmapped(address);
  const family = familyOf(plain);
  if (special.check(plain, family)) return false;
  return family === "ipv4" || global.check(plain, family);
}

/** Whether one of `subnets` holds the address. */
export function isWithin(subnets: BlockList, address: string): boolean {
  const plain = unmapped(address);
  return subnets.check(plain, familyOf(plain));
}

/** @param texts each `ADDRESS/LENGTH` or an address, checked with `isSubnetText`. */
export function subnetsOf(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = "", length] = text.split("/");
    const family = familyOf(address);
    list.addSubnet(address, Number(length ?? (family === "ipv4" ? 32 : 128)), family);
  }
  return list;
}

/** Whether a text is an IPv4 or IPv6 address, or a subnet of them. */
export function isSubnetText(text: string): boolean {
  const match = /^([0-9A-Fa-f:.]+)(?:\/([0-9]{1,3}))?$/.exec(text);
  if (match?.[1] === undefined || isIP(match[1]) === 0) return false;
  return match[2] === undefined || Number(match[2]) <= (isIPv4(match[1]) ? 32 : 128);
}

/** The IPv4 address inside an IPv4-mapped IPv6 one (RFC 4291, 2.5.5.2), in whichever way it is written. */
function unmapped(address: string): string {
  if (isIPv4(address)) return address;
  const canonical = new URL(`http://[${address.split("%")[0]}]/`).hostname.slice(1, -1);
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (match === null) return canonical;
  const [high, low] = [Number.parseInt(match[1] ?? "", 16), Number.parseInt(match[2] ?? "", 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}
