import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import { reasonOf, type SojournError, usageError } from "./errors.ts";

/** Longest text that is parsed at all. */
export const maxTomlBytes = 1024 * 1024;

/**
 * Parses TOML and checks it against a (strict) schema. Errors name the file, the line and the key's path.
 * @throws SojournError with `code`, one message line per fault, for anything that is not right.
 */
export function readToml<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  fileName: string,
  code: `SOJ_${string}`,
): z.output<Schema> {
  const fail = (faults: Iterable<string>, count = 1) => invalid(fileName, faults, count, code);
  if (Buffer.byteLength(text) > maxTomlBytes) throw fail([`longer than ${maxTomlBytes} bytes`]);
  let table: unknown;
  try {
    table = parse(text, { maxDepth: 20, unsafeKeyBehaviour: "throw" });
  } catch (error) {
    throw fail([syntaxFault(error)]);
  }
  const checked = schema.safeParse(table);
  if (checked.success) return checked.data;
  const { issues } = checked.error;
  throw fail(faultsOf(issues, text), sum(issues.map(faultCount)));
}

/**
 * Line (from 1) on which `path` is defined, or that of its nearest enclosing table; null when there is none.
 * Understands table headers, arrays of tables and dotted or quoted keys; not keys inside inline tables.
 */
export function lineOfKey(text: string, path: readonly PropertyKey[]): number | null {
  const wanted = path.map(String);
  let best: { line: number; depth: number } | null = null;
  for (const { line, keys } of definedKeys(text)) {
    const depth = keys.length;
    const matches = depth <= wanted.length && keys.every((key, index) => key === wanted[index]);
    if (matches && (best === null || depth > best.depth)) best = { line, depth };
  }
  return best?.line ?? null;
}

function* definedKeys(text: string): Generator<{ line: number; keys: string[] }> {
  const arrayCounts = new Map<string, number>();
  let table: string[] = [];
  for (const [index, content] of text.split("\n").entries()) {
    const array = /^\s*\[\[(.+?)\]\]/.exec(content);
    const header = array ?? /^\s*\[([^[\]].*?)\]/.exec(content);
    if (header?.[1] !== undefined) {
      table = splitKey(header[1]);
      if (array !== null) {
        const name = table.join("\0");
        const count = arrayCounts.get(name) ?? 0;
        arrayCounts.set(name, count + 1);
        table = [...table, String(count)];
      }
      yield { line: index + 1, keys: table };
      continue;
    }
    const assignment = assignedKey.exec(content);
    if (assignment?.[1] !== undefined) {
      yield { line: index + 1, keys: [...table, ...splitKey(assignment[1])] };
    }
  }
}

/** No two parts of it can match the same text, so that a long line costs no more than its length. */
const assignedKey =
  /^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=/;

function splitKey(text: string): string[] {
  const parts = text.match(/"[^"]*"|'[^']*'|[^.\s"']+/g) ?? [];
  return parts.map((part) => part.replace(/^(["'])(.*)\1$/, "$2"));
}

/** One at a time: each is looked for in the whole text, and only the first are shown. */
function* faultsOf(issues: readonly z.core.$ZodIssue[], text: string): Generator<string> {
  for (const issue of issues) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        const path = [...issue.path, key];
        yield `${where(text, path)}unknown key ${shown(path)}`;
      }
    } else {
      const path = issue.path.length === 0 ? "" : `${shown(issue.path)}: `;
      yield `${where(text, issue.path)}${path}${issue.message.slice(0, 500)}`;
    }
  }
}

function faultCount(issue: z.core.$ZodIssue): number {
  return issue.code === "unrecognized_keys" ? issue.keys.length : 1;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function where(text: string, path: readonly PropertyKey[]): string {
  const line = lineOfKey(text, path);
  return line === null ? "" : `line ${line}: `;
}

function shown(path: readonly PropertyKey[]): string {
  const parts = path.map((part, index) =>
    typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${String(part)}`,
  );
  return JSON.stringify(parts.join("").slice(0, 200)).slice(1, -1);
}

function syntaxFault(error: unknown): string {
  if (!(error instanceof TomlError)) return reasonOf(error);
  const reason = error.message.split("\n")[0] ?? "not TOML";
  return `line ${error.line}: ${reason}`;
}

function invalid(
  fileName: string,
  faults: Iterable<string>,
  count: number,
  code: `SOJ_${string}`,
): SojournError {
  const listed = [...Iterator.from(faults).take(10)].map((fault) => `${fileName}: ${fault}`);
  if (count > listed.length) listed.push(`and ${count - listed.length} more`);
  return usageError(listed.join("\n"), "correct the file; nothing was changed", code);
}
