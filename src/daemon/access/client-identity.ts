import { namePattern } from "../../platform/names.ts";
import { alternativeNames } from "../certificate-names.ts";

/** A client's name, or a URI as it stands in a certificate: no space, quote or comma (RFC 3986, 2). */
export const identityPattern =
  /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,62}|[a-z][a-z0-9+.-]{0,30}:\/\/[!#-&(-+\--[\]^_`a-z~]{1,200})$/;

/** The URI SAN that names a client of the API (RFC 5280, 4.2.1.6). */
export function clientIdentityUri(name: string): string {
  return `sojourn://client/${name}`;
}

/** The URI SAN that `identity`, a client's name or such a URI, stands for. */
export function identityUri(identity: string): string {
  return namePattern.test(identity) ? clientIdentityUri(identity) : identity;
}

/**
 * The URI SAN of a certificate, or null unless there is exactly one: two would leave open who it is.
 * @param subjectAltName as Node prints it, "URI:…, IP Address:…".
 */
export function uriIdentityOf(subjectAltName: string | undefined): string | null {
  const uris = alternativeNames(subjectAltName, "URI");
  const [uri] = uris;
  return uris.length === 1 && uri !== undefined && identityPattern.test(uri) ? uri : null;
}
