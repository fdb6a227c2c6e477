import { isIPv4 } from "node:net";
import { namePattern } from "../platform/names.ts";

/**
 * Host name in a certificate's URI SAN `sojourn://host/NAME`, or null unless there is exactly one.
 * @param subjectAltName as Node prints it, "URI:…, IP Address:…".
 */
export function hostNameOf(subjectAltName: string | undefined): string | null {
  const names = entriesOf(subjectAltName, uriPrefix);
  const [name] = names;
  return names.length === 1 && name !== undefined && namePattern.test(name) ? name : null;
}

/**
 * IPv4 addresses among a certificate's SANs (RFC 5280, 4.2.1.6).
 * @param subjectAltName as above.
 */
export function addressesOf(subjectAltName: string | undefined): string[] {
  return entriesOf(subjectAltName, "IP Address:").filter((address) => isIPv4(address));
}

const uriPrefix = "URI:sojourn://host/";

function entriesOf(subjectAltName: string | undefined, prefix: string): string[] {
  // Node quotes entries that hold a comma; none of ours does, and a quoted one could imitate another entry.
  if (subjectAltName === undefined || subjectAltName.includes('"')) return [];
  return subjectAltName
    .split(", ")
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => entry.slice(prefix.length));
}
