/** IPv4 addresses as numbers, and what a subnet (`ADDRESS/LENGTH`) holds. Pure. */
export interface Subnet {
  first: number;
  last: number;
}

/** The addresses of a checked subnet, network and broadcast address included. */
export function subnetOf(text: string): Subnet {
  const [base = "", lengthText = "32"] = text.split("/");
  const size = 2 ** (32 - Number(lengthText));
  const first = Math.floor(addressNumber(base) / size) * size;
  return { first, last: first + size - 1 };
}

/** The subnet that an address with its prefix length (`10.1.0.10/24`) is of. */
export function networkOf(text: string): string {
  const [, lengthText = "32"] = text.split("/");
  return `${addressText(subnetOf(text).first)}/${lengthText}`;
}

export function contains(subnet: string, address: string): boolean {
  const { first, last } = subnetOf(subnet);
  const number = addressNumber(address);
  return first <= number && number <= last;
}

/** Addresses that guests and hosts may have: all but the network's own and broadcast; all of a /31 (RFC 3021) or /32. */
export function usable(subnet: string): Subnet {
  const { first, last } = subnetOf(subnet);
  return last - first < 2 ? { first, last } : { first: first + 1, last: last - 1 };
}

export function addressNumber(address: string): number {
  return address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

export function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}
