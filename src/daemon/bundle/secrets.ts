import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

/** What stands where a secret was. */
export const removed = "[removed]";

/** Keys whose values are secrets, or name files that hold them. */
const secretKey =
  /secret|token|passw|passphrase|credential|authorization|private|api_?key|^key$|_key$/i;
const headersKey = /^headers?$/i;
const isPath = (value: string) => /^\/[^\0\n]*$/.test(value);

/** Shorter ones would be found in innocent words. */
const shortestSecret = 6;
const mostFileBytes = 64 * 1024;

/**
 * A value parsed from the configuration without its secrets: values of secret keys and of headers, and of URLs who
 * logs in, what is asked, and long parts of the path, which some services take for a password. Paths stay. Pure.
 */
export function withoutSecrets(value: unknown, key = "", isBelow = false): unknown {
  const isHidden = isBelow || secretKey.test(key) || headersKey.test(key);
  if (typeof value === "string") {
    return isHidden && !isPath(value) ? removed : withoutUrlSecrets(value);
  }
  if (Array.isArray(value)) return value.map((one) => withoutSecrets(one, key, isBelow));
  if (value instanceof Date) return value;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    return Object.fromEntries(
      entries.map(([name, one]) => [name, withoutSecrets(one, name, isHidden)]),
    );
  }
  return isHidden && typeof value !== "boolean" ? removed : value;
}

/** URLs in a text without user info, query, fragment and long parts of the path. Pure. */
export function withoutUrlSecrets(text: string): string {
  return text.replaceAll(
    /\b([a-z][a-z0-9+.-]{1,20}:\/\/)([^\s"'<>\\]+)/gi,
    (_all, scheme: string, rest: string) => {
      const [beforeQuery = "", ...queried] = rest.split(/[?#]/);
      const slash = beforeQuery.indexOf("/");
      const authority = slash === -1 ? beforeQuery : beforeQuery.slice(0, slash);
      const path = slash === -1 ? "" : beforeQuery.slice(slash);
      const at = authority.lastIndexOf("@");
      const host = at === -1 ? authority : `${removed}${authority.slice(at)}`;
      const query = queried.length > 0 ? `?${removed}` : "";
      return `${scheme}${host}${path.replaceAll(/[^/]{20,}/g, removed)}${query}`;
    },
  );
}

/**
 * The secrets that a parsed configuration holds, or that are in the files it names: to be looked for in everything
 * that leaves the host. Files that cannot be read are passed over.
 */
export async function knownSecrets(config: unknown): Promise<string[]> {
  const found = new Set<string>();
  for (const { value, isSecret } of stringsOf(config, "", false)) {
    if (isSecret && isPath(value)) for (const one of await secretsInFile(value)) found.add(one);
    else if (isSecret) found.add(value);
    for (const one of secretsInUrl(value)) found.add(one);
  }
  return [...found]
    .filter((secret) => secret.length >= shortestSecret)
    .toSorted((a, b) => b.length - a.length);
}

function* stringsOf(
  value: unknown,
  key: string,
  isBelow: boolean,
): Generator<{ value: string; isSecret: boolean }> {
  const isSecret = isBelow || secretKey.test(key) || headersKey.test(key);
  if (typeof value === "string") yield { value, isSecret };
  else if (Array.isArray(value)) for (const one of value) yield* stringsOf(one, key, isBelow);
  else if (typeof value === "object" && value !== null) {
    for (const [name, one] of Object.entries(value)) yield* stringsOf(one, name, isSecret);
  }
}

async function secretsInFile(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isFile()) return [];
    const text = await readStart(path);
    const lines = text.split("\n").map((line) => line.trim());
    // A line may be `name:token` or `name = token`.
    const words = lines.flatMap((line) => line.split(/[\s:=,"']+/));
    const isPemFrame = (line: string) => /^-----(BEGIN|END) [A-Z0-9 ]+-----$/.test(line);
    const long = [...lines, ...words].filter((one) => one.length >= 12);
    return [text.trim(), ...long].filter((one) => !isPemFrame(one));
  } catch {
    return [];
  }
}

async function readStart(path: string): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(path, { end: mostFileBytes - 1 })) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function secretsInUrl(text: string): string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || !URL.canParse(text)) return [];
  const { username, password, search, searchParams, pathname } = new URL(text);
  const parts = [username, password, search.slice(1), ...searchParams.values()];
  const long = pathname.split("/").filter((part) => part.length >= 20);
  return [...parts, ...long].flatMap((part) => [part, safelyDecoded(part)]);
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
