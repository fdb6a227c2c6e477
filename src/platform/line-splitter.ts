const lineFeed = 0x0a;
/** A buffer up to this size is used again for the next line. */
const keptBytes = 64 * 1024;

/**
 * Cuts a byte stream into lines (LF or CRLF, UTF-8). Keeps at most one unfinished line,
 * never more than `limitBytes` of it.
 */
export class LineSplitter {
  readonly #limitBytes: number;
  readonly #errorOf: (what: string, cause?: unknown) => Error;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;

  /** @param errorOf the error to throw for what should not have come, `a line …`. */
  constructor(limitBytes: number, errorOf: (what: string, cause?: unknown) => Error) {
    this.#limitBytes = limitBytes;
    this.#errorOf = errorOf;
  }

  /** Bytes of the unfinished line. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Takes the next bytes and gives the lines they complete, without their ends.
   * @throws `errorOf` for a line longer than the limit or one that is not UTF-8.
   */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(lineFeed, start);
      if (end < 0) break;
      this.#hold(chunk.subarray(start, end));
      lines.push(this.#take());
      start = end + 1;
    }
    this.#hold(chunk.subarray(start));
    return lines;
  }

  #hold(bytes: Buffer): void {
    const neededBytes = this.#heldBytes + bytes.length;
    if (neededBytes > this.#limitBytes) {
      this.#forget();
      throw this.#errorOf(`a line longer than ${this.#limitBytes} bytes`);
    }
    // Copied into one buffer: a list of chunks would cost far more than the line when it drips in.
    if (neededBytes > this.#held.length) {
      const larger = Buffer.alloc(
        Math.min(Math.max(neededBytes, 2 * this.#held.length), this.#limitBytes),
      );
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes = neededBytes;
  }

  #take(): string {
    let text: string;
    try {
      text = this.#decoder.decode(this.#held.subarray(0, this.#heldBytes));
    } catch (cause) {
      throw this.#errorOf("a line that is not UTF-8", cause);
    } finally {
      this.#forget();
    }
    return text.endsWith("\r") ? text.slice(0, -1) : text;
  }

  #forget(): void {
    if (this.#held.length > keptBytes) this.#held = Buffer.alloc(0);
    this.#heldBytes = 0;
  }
}
