import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { preconditionError, type SojournError } from "../../platform/errors.ts";
import { namePattern } from "../../platform/names.ts";
import { type Role, roles } from "../api/api.ts";

/** What is kept of a token: enough to know it again, nothing to use it with. */
export interface TokenEntry {
  name: string;
  role: Role;
  /** Hex, of the whole token. A token is random enough for a plain hash. */
  sha256: string;
  /** ISO 8601. */
  created: string;
  /** ISO 8601; null: never. */
  expires: string | null;
}

const entry = z.strictObject({
  name: z.string().regex(namePattern, "not a name"),
  role: z.enum(roles),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "not a SHA-256 in hex"),
  created: z.iso.datetime(),
  expires: z.iso.datetime().nullable(),
});

const tokensFile = z.strictObject({ tokens: z.array(entry).max(1000) });

/** Starts every token, so that people and scanners for leaked secrets know one when they see it. */
const tokenPrefix = "sojourn_";

/** A new token, 256 random bits. It is shown once and never kept. */
export function newToken(): string {
  return `${tokenPrefix}${randomBytes(32).toString("base64url")}`;
}

/** What is kept of `token`. */
export function hashToken(token: string): string {
  return digest(token).toString("hex");
}

/** @throws SojournError `SOJ_TOKENS_INVALID` naming the first fault; never with a value of the file. */
export function parseTokens(text: string, path: string): TokenEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidTokens(path, "not JSON");
  }
  const checked = tokensFile.safeParse(value);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    throw invalidTokens(path, `${issue?.path.join(".")}: ${issue?.code}`.slice(0, 200));
  }
  const { tokens } = checked.data;
  const names = new Set(tokens.map(({ name }) => name));
  if (names.size < tokens.length) throw invalidTokens(path, "two tokens have one name");
  return tokens;
}

export function formatTokens(tokens: readonly TokenEntry[]): string {
  return `${JSON.stringify({ tokens }, null, 2)}\n`;
}

/** Tokens as requests are checked against them. */
export class TokenTable {
  readonly #tokens: readonly { entry: TokenEntry; hash: Buffer }[];

  constructor(tokens: readonly TokenEntry[]) {
    this.#tokens = tokens.map((one) => ({ entry: one, hash: Buffer.from(one.sha256, "hex") }));
  }

  /** The entry of a token that somebody shows, expired or not. Takes as long whichever it is, or none. */
  find(shown: string): TokenEntry | null {
    const wanted = digest(shown);
    let found: TokenEntry | null = null;
    for (const { entry: candidate, hash } of this.#tokens) {
      if (timingSafeEqual(wanted, hash)) found = candidate;
    }
    return found;
  }

  byName(name: string): TokenEntry | null {
    return this.#tokens.find(({ entry: candidate }) => candidate.name === name)?.entry ?? null;
  }
}

export function isExpired(token: TokenEntry, nowMs: number): boolean {
  return token.expires !== null && Date.parse(token.expires) <= nowMs;
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

function invalidTokens(path: string, fault: string): SojournError {
  return preconditionError("SOJ_TOKENS_INVALID", `${path}: ${fault}`, {
    hint: "mend it by hand, or remove it and make the tokens anew with sojourn token create",
  });
}
