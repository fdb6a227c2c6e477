import { isIPv4 } from "node:net";
import { namePattern } from "../platform/names.ts";
import { alternativeNames } from "./certificate-names.ts";

const uriPrefix = "sojourn://host/";

/** The URI SAN that names a host (RFC 5280, 4.2.1.6). */
export function hostIdentityUri(name: string): string {
  return `${uriPrefix}${name}`;
}

/**
 * Host name in a certificate's URI SAN `sojourn://host/NAME`, or null unless there is exactly one.
 * @param subjectAltName as Node prints it, "URI:…, IP Address:…".
 */
export function hostNameOf(subjectAltName: string | undefined): string | null {
  const names = alternativeNames(subjectAltName, "URI")
    .filter((uri) => uri.startsWith(uriPrefix))
    .map((uri) => uri.slice(uriPrefix.length));
  const [name] = names;
  return names.length === 1 && name !== undefined && namePattern.test(name) ? name : null;
}

/**
 * IPv4 addresses among a certificate's SANs (RFC 5280, 4.2.1.6).
 * @param subjectAltName as above.
 */
export function addressesOf(subjectAltName: string | undefined): string[] {
  return alternativeNames(subjectAltName, "IP Address").filter((address) => isIPv4(address));
}
