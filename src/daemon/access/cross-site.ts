import type { IncomingHttpHeaders } from "node:http";

/**
 * Whether a browser makes this request for a page of another origin (Fetch Metadata, `Sec-Fetch-Site`; RFC 6454, 7):
 * it would show its user's client certificate all the same. Links to our pages may be followed.
 */
export function isOfAnotherSite(request: {
  method: string;
  headers: IncomingHttpHeaders;
}): boolean {
  const { method, headers } = request;
  const { origin, host, "sec-fetch-site": site, "sec-fetch-mode": mode } = headers;
  if (method === "GET" && mode === "navigate") return false;
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  return origin !== undefined && URL.parse(origin)?.host !== ownHost(host);
}

/** Without the port that is meant when there is none, as URLs are written. */
function ownHost(host: string | undefined): string | undefined {
  return host === undefined ? undefined : URL.parse(`https://${host}`)?.host;
}
