import { isObject } from "../qmp/messages.ts";

/** `key=value` of an option list; a key of null for a word that stands alone. */
interface Entry {
  key: string | null;
  value: string;
}

/**
 * The value of a QEMU option: `first,key=value,flag`, where a comma in a value is written twice (QemuOpts, `-help`), or
 * JSON (`-device {…}`, since QEMU 6.0), whose inner keys are joined by dots. Immutable.
 */
export class OptionList {
  readonly #implied: string;
  readonly #entries: readonly Entry[];
  readonly #json: Record<string, unknown> | null;

  /** `implied`: the key of a first word that stands alone. What begins like JSON and is none is taken as a list. */
  static parse(text: string, implied: string): OptionList {
    if (text.startsWith("{")) {
      try {
        const value: unknown = JSON.parse(text);
        if (isObject(value)) return new OptionList(implied, [], value);
      } catch {
        // A file's name may begin so.
      }
    }
    return new OptionList(implied, entriesOf(text), null);
  }

  private constructor(
    implied: string,
    entries: readonly Entry[],
    json: Record<string, unknown> | null,
  ) {
    this.#implied = implied;
    this.#entries = entries;
    this.#json = json;
  }

  /** Every key, in its order, that has a value of its own. */
  keys(): string[] {
    if (this.#json !== null) return [...leavesOf(this.#json)];
    return [...new Set(this.#entries.map((entry, index) => this.#keyOf(entry, index)))];
  }

  /** The value of a key, the last where there are several; a flag is `on`, and `off` as `noflag`. */
  get(key: string): string | undefined {
    if (this.#json !== null) return leaf(this.#json, key.split("."));
    const found = this.#entries.findLastIndex((entry, index) => this.#keyOf(entry, index) === key);
    const entry = this.#entries[found];
    if (entry === undefined) return undefined;
    if (entry.key !== null || found === 0) return entry.value;
    return entry.value === `no${key}` ? "off" : "on";
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  isOn(key: string): boolean {
    return ["on", "yes", "true", "y"].includes(this.get(key) ?? "off");
  }

  /** With the key's value replaced in its place, or put at the end where there was none. */
  with(key: string, value: string): OptionList {
    if (this.#json !== null) {
      return new OptionList(this.#implied, [], replaced(this.#json, key.split("."), value));
    }
    const place = this.#entries.findIndex((entry, index) => this.#keyOf(entry, index) === key);
    const kept = this.#entries.filter(
      (entry, index) => index === place || this.#keyOf(entry, index) !== key,
    );
    const isFirstWord = place === 0 && this.#entries[0]?.key === null;
    const entry = { key: isFirstWord ? null : key, value };
    const entries = place === -1 ? [...kept, entry] : kept.with(place, entry);
    return new OptionList(this.#implied, entries, null);
  }

  toString(): string {
    if (this.#json !== null) return JSON.stringify(this.#json);
    return this.#entries
      .map(({ key, value }, index) => {
        if (key !== null) return `${key}=${escaped(value)}`;
        return index === 0 ? escaped(value) : value;
      })
      .join(",");
  }

  #keyOf({ key, value }: Entry, index: number): string {
    if (key !== null) return key;
    if (index === 0) return this.#implied;
    return negated.exec(value)?.[1] ?? value;
  }
}

/** In QEMU's option lists a comma is written twice. */
export function escaped(value: string): string {
  return value.replaceAll(",", ",,");
}

/** Flags that are given as `noflag`, of those that begin with the two letters by themselves. */
const negated = /^no(wait|server|delay|telnet|ipv4|ipv6)$/;

function entriesOf(text: string): Entry[] {
  const entries: Entry[] = [];
  let rest = text;
  while (rest !== "" || entries.length === 0) {
    const end = rest.search(/[=,]/);
    const isPair = end !== -1 && rest[end] === "=";
    if (isPair || entries.length === 0) {
      const { value, after } = takeValue(isPair ? rest.slice(end + 1) : rest);
      entries.push({ key: isPair ? rest.slice(0, end) : null, value });
      rest = after;
    } else {
      const stop = end === -1 ? rest.length : end;
      entries.push({ key: null, value: rest.slice(0, stop) });
      rest = rest.slice(stop + 1);
    }
  }
  return entries;
}

/** Up to a comma that is not written twice. */
function takeValue(text: string): { value: string; after: string } {
  let value = "";
  let from = 0;
  for (;;) {
    const comma = text.indexOf(",", from);
    if (comma === -1) return { value: value + text.slice(from), after: "" };
    value += text.slice(from, comma);
    if (text[comma + 1] !== ",") return { value, after: text.slice(comma + 1) };
    value += ",";
    from = comma + 2;
  }
}

function* leavesOf(object: Record<string, unknown>, prefix = ""): Generator<string> {
  for (const [key, value] of Object.entries(object)) {
    if (isObject(value)) yield* leavesOf(value, `${prefix}${key}.`);
    else yield `${prefix}${key}`;
  }
}

function leaf(object: Record<string, unknown>, path: readonly string[]): string | undefined {
  const [key = "", ...rest] = path;
  if (!Object.hasOwn(object, key)) return undefined;
  const value = object[key];
  if (rest.length > 0) return isObject(value) ? leaf(value, rest) : undefined;
  if (typeof value === "boolean") return value ? "on" : "off";
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

function replaced(
  object: Record<string, unknown>,
  [key = "", ...rest]: readonly string[],
  value: string,
): Record<string, unknown> {
  if (rest.length === 0) return { ...object, [key]: value };
  const inner = object[key];
  return { ...object, [key]: replaced(isObject(inner) ? inner : {}, rest, value) };
}
