/** One whole answer of an HTTP/1.1 server (RFC 9112). */
export interface HttpAnswer {
  status: number;
  /** Start of the content, up to 4 KiB. */
  text: string;
  /** The server ends the connection after this answer. */
  closes: boolean;
}

const maxHeadBytes = 16 * 1024;
const maxTextBytes = 4096;
const maxSizeLineBytes = 256;
const statusLinePattern = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/;

type Step =
  | { name: "head" | "chunk-size" | "chunk-end" | "trailer" }
  | { name: "content" | "chunk"; left: number }
  | { name: "until-close" };

/** Cuts the answers to GET requests out of a connection's bytes, however these are cut; its memory is bounded. */
export class HttpAnswerReader {
  #step: Step = { name: "head" };
  #head = "";
  #line = "";
  #text = "";
  #status = 0;
  #closes = false;

  /** The answers that are whole with these bytes, or null when they are not HTTP. */
  push(bytes: Buffer): HttpAnswer[] | null {
    const answers: HttpAnswer[] = [];
    const finish = () => {
      const answer = { status: this.#status, text: this.#text, closes: this.#closes };
      this.#step = { name: "head" };
      this.#text = "";
      if (answer.status >= 200) answers.push(answer);
    };
    for (let at = 0; at < bytes.length; ) {
      const taken = this.#take(bytes, at, finish);
      if (taken < 0) return null;
      at += taken;
    }
    return answers;
  }

  /** How many bytes from `at` on were taken, at least one; negative when they are wrong. */
  #take(bytes: Buffer, at: number, finish: () => void): number {
    const step = this.#step;
    switch (step.name) {
      case "head":
        return this.#takeHead(bytes, at, finish);
      case "until-close":
        this.#keep(bytes, at, bytes.length);
        return bytes.length - at;
      case "content":
      case "chunk": {
        const count = Math.min(step.left, bytes.length - at);
        this.#keep(bytes, at, at + count);
        step.left -= count;
        if (step.left === 0 && step.name === "content") finish();
        else if (step.left === 0) this.#step = { name: "chunk-end" };
        return count;
      }
      default:
        return this.#takeLine(bytes, at, (line) => this.#acceptLine(step.name, line, finish));
    }
  }

  #takeHead(bytes: Buffer, at: number, finish: () => void): number {
    const before = this.#head.length;
    const added = bytes.toString("latin1", at, Math.min(bytes.length, at + maxHeadBytes));
    this.#head += added;
    const end = this.#head.indexOf("\r\n\r\n", Math.max(0, before - 3));
    if (end < 0) return this.#head.length > maxHeadBytes ? -1 : added.length;
    const head = this.#head.slice(0, end + 2);
    this.#head = "";
    return this.#acceptHead(head, finish) ? end + 4 - before : -1;
  }

  #acceptHead(head: string, finish: () => void): boolean {
    const [, minor, status] = statusLinePattern.exec(head) ?? [];
    if (status === undefined) return false;
    const length = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n/i.exec(head)?.[1];
    const isChunked = /\r\ntransfer-encoding:[^\r]*\bchunked[ \t]*\r\n/i.test(head);
    this.#status = Number(status);
    this.#closes =
      minor === "0"
        ? !/\r\nconnection:[^\r]*\bkeep-alive\b/i.test(head)
        : /\r\nconnection:[^\r]*\bclose\b/i.test(head);
    const hasContent = this.#status >= 200 && this.#status !== 204 && this.#status !== 304;
    if (hasContent && isChunked) this.#step = { name: "chunk-size" };
    else if (hasContent && length === undefined) this.#step = { name: "until-close" };
    else if (hasContent && Number(length) > 0) {
      this.#step = { name: "content", left: Number(length) };
    } else finish();
    return true;
  }

  #takeLine(bytes: Buffer, at: number, accept: (line: string) => boolean): number {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline < 0 ? bytes.length : newline + 1;
    this.#line += bytes.toString("latin1", at, Math.min(end, at + maxSizeLineBytes + 1));
    if (this.#line.length > maxSizeLineBytes) return -1;
    if (newline < 0) return end - at;
    const line = this.#line.trimEnd();
    this.#line = "";
    return accept(line) ? end - at : -1;
  }

  #acceptLine(name: Step["name"], line: string, finish: () => void): boolean {
    if (name === "chunk-size") {
      const size = /^([0-9a-f]{1,8})(?:[ \t;]|$)/i.exec(line)?.[1];
      if (size === undefined) return false;
      const left = Number.parseInt(size, 16);
      this.#step = left === 0 ? { name: "trailer" } : { name: "chunk", left };
      return true;
    }
    if (name === "chunk-end") {
      this.#step = { name: "chunk-size" };
      return line === "";
    }
    if (line === "") finish();
    return true;
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    const room = maxTextBytes - this.#text.length;
    if (room > 0) this.#text += bytes.toString("latin1", from, Math.min(to, from + room));
  }
}
