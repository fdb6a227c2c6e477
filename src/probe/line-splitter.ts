import { StringDecoder } from "node:string_decoder";
import { SojournError } from "../platform/errors.ts";

/** Cuts a byte stream into lines; keeps at most one unfinished line of `maxBytes`. */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws SojournError `SOJ_PROBER_PROTOCOL` when a line is longer than allowed. */
  push(chunk: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > this.#maxBytes || lines.some((line) => line.length > this.#maxBytes)) {
      this.#rest = "";
      throw new SojournError("SOJ_PROBER_PROTOCOL", `a line of more than ${this.#maxBytes} bytes`);
    }
    return lines.filter((line) => line !== "");
  }
}
