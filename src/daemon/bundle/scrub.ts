import { isIPv4, isIPv6 } from "node:net";
import { removed, withoutUrlSecrets } from "./secrets.ts";

export interface ScrubOptions {
  /** Texts that must not leave the host, the longest first. */
  secrets: readonly string[];
  redactAddresses: boolean;
}

/** Forms in which secrets come wherever they come from. */
const patterns: readonly [RegExp, string][] = [
  [
    /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g,
    removed,
  ],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${removed}`],
  [/\bwhsec_[A-Za-z0-9+/=_-]+/g, removed],
  [/\bv1,[A-Za-z0-9+/]{40,}={0,2}/g, `v1,${removed}`],
  [
    /((?:secret|token|passw(?:or)?d|passphrase|authorization|api[_-]?key)\\?["']?\s*[:=]\s*\\?["']?)(?!\[removed\])[^\s"',;\\}]{3,}/gi,
    `$1${removed}`,
  ],
];

/**
 * Takes what must not leave the host out of texts: known secrets, whatever looks like one, and on request addresses,
 * each of which gets the same name wherever it stands.
 */
export class Scrubber {
  readonly #options: ScrubOptions;
  readonly #names = new Map<string, string>();
  readonly #counts = { address: 0, mac: 0 };

  constructor(options: ScrubOptions) {
    this.#options = options;
  }

  scrub(text: string): string {
    let clean = text;
    for (const secret of this.#options.secrets) {
      for (const form of formsOf(secret)) clean = clean.replaceAll(form, removed);
    }
    clean = withoutUrlSecrets(clean);
    for (const [pattern, replacement] of patterns) clean = clean.replaceAll(pattern, replacement);
    return this.#options.redactAddresses ? this.#withoutAddresses(clean) : clean;
  }

  #withoutAddresses(text: string): string {
    return text
      .replaceAll(/\bcopy_(\d{1,3}_\d{1,3}_\d{1,3}_\d{1,3})_/g, (all, octets: string) => {
        const address = octets.replaceAll("_", ".");
        return isIPv4(address) ? `copy_${this.#nameOf("address", address)}_` : all;
      })
      .replaceAll(/(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)/g, (all) =>
        isIPv4(all) && !spoken.has(all) ? this.#nameOf("address", all) : all,
      )
      .replaceAll(/(?<![0-9a-f:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![0-9a-f:])/gi, (all) =>
        /^(00|ff)(:\1)+$/i.test(all) ? all : this.#nameOf("mac", all.toLowerCase()),
      )
      .replaceAll(/(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])/gi, (all) =>
        isIPv6(all) && !spoken.has(all) ? this.#nameOf("address", all.toLowerCase()) : all,
      );
  }

  #nameOf(kind: "address" | "mac", value: string): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    this.#counts[kind] += 1;
    const name = `${kind}-${this.#counts[kind]}`;
    this.#names.set(value, name);
    return name;
  }
}

/** Addresses that say nothing of a network. */
const spoken = new Set(["0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1"]);

/** As it is, and as JSON writes it. */
function formsOf(secret: string): string[] {
  const inJson = JSON.stringify(secret).slice(1, -1);
  return inJson === secret ? [secret] : [secret, inJson];
}
