/** A value of HCL's syntax: templates in strings are left as they are written. */
export type HclValue = string | number | boolean | HclValue[];

/** A body: attributes and blocks. A block's labels come first in its key, as in `job.move-guest`. */
export interface HclBody {
  [name: string]: HclValue | HclBody;
}

/**
 * Reads the part of HCL 2 that a Nomad job needs: nested blocks with labels, attributes of strings, numbers, booleans
 * and lists, comments. A block or attribute of a name that its body has already is an error.
 * @throws Error with the line of whatever it does not know.
 */
export function parseHcl(text: string): HclBody {
  const reader = new Reader(text);
  const body = reader.body(false);
  reader.end();
  return body;
}

const token =
  /(?<space>[^\S\n]+|(?:#|\/\/)[^\n]*)|(?<newline>\n)|(?<string>"(?:\\.|[^"\\\n])*")|(?<number>-?\d+(?:\.\d+)?)|(?<name>[A-Za-z_][\w-]*)|(?<mark>[{}[\]=,])/y;

interface Token {
  kind: "newline" | "string" | "number" | "name" | "mark" | "end";
  text: string;
  line: number;
}

class Reader {
  readonly #tokens: Token[] = [];
  #next = 0;

  constructor(text: string) {
    let line = 1;
    token.lastIndex = 0;
    while (token.lastIndex < text.length) {
      const groups = token.exec(text)?.groups;
      if (groups === undefined) throw new Error(`line ${line}: not understood`);
      const [kind, found] = Object.entries(groups).find(([, one]) => one !== undefined) ?? [];
      if (kind !== "space") {
        this.#tokens.push({ kind: kind as Token["kind"], text: found ?? "", line });
      }
      if (kind === "newline") line += 1;
    }
    this.#tokens.push({ kind: "end", text: "the end", line });
  }

  body(isNested: boolean): HclBody {
    const body: HclBody = {};
    for (;;) {
      this.#skipNewlines();
      const { kind, text } = this.#peek();
      if (kind === "end" || (isNested && text === "}")) return body;
      const labels = [this.#take("name")];
      while (this.#peek().kind === "string") labels.push(JSON.parse(this.#take("string")));
      const key = labels.join(".");
      if (key in body) throw this.#unexpected();
      if (labels.length === 1 && this.#has("=")) body[key] = this.#value();
      else body[key] = this.#block();
      if (this.#peek().kind !== "end") this.#take("newline");
    }
  }

  end(): void {
    if (this.#peek().kind !== "end") throw this.#unexpected();
  }

  #block(): HclBody {
    this.#mark("{");
    const body = this.body(true);
    this.#mark("}");
    return body;
  }

  #value(): HclValue {
    const { kind, text } = this.#peek();
    if (kind === "string") return JSON.parse(this.#take("string"));
    if (kind === "number") return Number(this.#take("number"));
    if (text === "true" || text === "false") return this.#take("name") === "true";
    this.#mark("[");
    const values: HclValue[] = [];
    for (;;) {
      this.#skipNewlines();
      if (this.#has("]")) return values;
      values.push(this.#value());
      this.#skipNewlines();
      if (!this.#has(",")) {
        this.#mark("]");
        return values;
      }
    }
  }

  #peek(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #take(kind: Token["kind"]): string {
    if (this.#peek().kind !== kind) throw this.#unexpected();
    this.#next += 1;
    return this.#tokens[this.#next - 1]?.text ?? "";
  }

  #has(mark: string): boolean {
    const { kind, text } = this.#peek();
    if (kind !== "mark" || text !== mark) return false;
    this.#next += 1;
    return true;
  }

  #mark(mark: string): void {
    if (!this.#has(mark)) throw this.#unexpected();
  }

  #skipNewlines(): void {
    while (this.#peek().kind === "newline") this.#next += 1;
  }

  #unexpected(): Error {
    const { text, line } = this.#peek();
    return new Error(`line ${line}: ${JSON.stringify(text)} was not expected`);
  }
}
