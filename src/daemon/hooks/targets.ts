import { lookup } from "node:dns/promises";
import { type BlockList, isIP } from "node:net";
import { SojournError, usageError } from "../../platform/errors.ts";
import { isPublicAddress, isSubnetText, isWithin, subnetsOf } from "./addresses.ts";

/** Where a hook may be sent to, after its name was resolved. */
export interface ResolvedAddress {
  address: string;
  family: 4 | 6;
}

/** Addresses of a host name; may throw the system's error. */
export type Resolve = (hostName: string) => Promise<ResolvedAddress[]>;

const longestUrl = 2048;
const hostNamePattern =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;

/**
 * Which receivers hooks may be sent to, so that a URL is no way into the host's own network: any public address over
 * https; everything else, and http, only where the operator has listed the subnet, the address or the host name.
 */
export class TargetPolicy {
  readonly #subnets: BlockList;
  readonly #names: ReadonlySet<string>;

  /** @param allowed entries of `[hooks] allow_targets`, each checked with `isTarget`. */
  constructor(allowed: readonly string[] = []) {
    this.#subnets = subnetsOf(allowed.filter(isSubnetText));
    this.#names = new Set(allowed.filter((entry) => !isSubnetText(entry)).map(plainName));
  }

  /**
   * A URL's form, without resolving its name.
   * @throws SojournError `SOJ_HOOK_URL_INVALID`, or `SOJ_HOOK_TARGET_REFUSED` for what is never allowed.
   */
  checkUrl(text: string): URL {
    const url = parseUrl(text);
    const { address, name } = hostOf(url);
    if (address !== null && !this.#mayReach(url, name, address)) throw refused(url, address);
    if (address === null && url.protocol === "http:" && !this.#mayBeListed(name)) {
      throw refused(url, name);
    }
    return url;
  }

  /**
   * The addresses to connect to, and no others, so that a name that resolves differently a moment later (DNS
   * rebinding) leads nowhere else.
   * @throws SojournError `SOJ_HOOK_TARGET_REFUSED` when none is allowed; what `resolve` throws.
   */
  async addressesOf(url: URL, resolve: Resolve): Promise<ResolvedAddress[]> {
    const { address, name } = hostOf(url);
    const found = address === null ? await resolve(name) : [literal(address)];
    const allowed = found.filter((each) => this.#mayReach(url, name, each.address));
    if (allowed.length > 0) return allowed;
    throw refused(url, found[0]?.address ?? "no address");
  }

  /** A name may still resolve to an address in a listed subnet. */
  #mayBeListed(name: string): boolean {
    return this.#names.has(name) || this.#subnets.rules.length > 0;
  }

  #mayReach(url: URL, name: string, address: string): boolean {
    if (this.#names.has(name) || isWithin(this.#subnets, address)) return true;
    return url.protocol === "https:" && isPublicAddress(address);
  }
}

/** Whether a text may stand in `allow_targets`. */
export function isTarget(text: string): boolean {
  return isSubnetText(text) || (hostNamePattern.test(plainName(text)) && !/^[0-9.]+$/.test(text));
}

/** Asks as every program of this machine does (getaddrinfo(3)), hosts file included. */
export async function resolveHostName(hostName: string): Promise<ResolvedAddress[]> {
  const found = await lookup(hostName, { all: true });
  return found.map(({ address }) => literal(address));
}

/** What may be shown of a URL: paths and queries of receivers are often secret. */
export function shownTarget(url: URL): string {
  return url.origin;
}

function parseUrl(text: string): URL {
  const invalid = (reason: string) =>
    usageError(`the hook's URL ${reason}`, "https://HOST/PATH", "SOJ_HOOK_URL_INVALID");
  if (text.length > longestUrl) throw invalid(`is longer than ${longestUrl} characters`);
  const url = URL.parse(text);
  if (url === null) throw invalid("is none");
  if (url.protocol !== "https:" && url.protocol !== "http:") throw invalid("is not https");
  if (url.username !== "" || url.password !== "") throw invalid("holds a user name or password");
  if (url.hash !== "") throw invalid("has a fragment");
  return url;
}

function hostOf(url: URL): { address: string | null; name: string } {
  const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
  return { address: isIP(host) === 0 ? null : host, name: plainName(host) };
}

function literal(address: string): ResolvedAddress {
  return { address, family: isIP(address) === 6 ? 6 : 4 };
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

function refused(url: URL, address: string): SojournError {
  const plain = url.protocol === "http:" ? "http is only for listed targets" : "it is not public";
  return new SojournError(
    "SOJ_HOOK_TARGET_REFUSED",
    `nothing is sent to ${shownTarget(url)} (${address}): ${plain}`,
    {
      exitCode: 3,
      httpStatus: 422,
      hint: "list the subnet, address or host name in [hooks] allow_targets, if it is meant",
    },
  );
}
