import {
  BaseType,
  type Reader,
  string,
  type Writer,
  XdrError,
  type XdrType,
} from "@stellar/js-xdr";
import { longestTextBytes } from "../limits.ts";

/**
 * A string of the protocol as JavaScript's: UTF-8 on the wire. Encoding rejects what would not come out alike at the
 * other end: NUL, at which C ends a string, and half of a surrogate pair.
 */
export function text(longestBytes = longestTextBytes): XdrType<string> {
  return new TextType(longestBytes, true);
}

/** The same for words that are only shown: bytes that are no UTF-8 are replaced instead of refused. */
export function shownText(longestBytes = longestTextBytes): XdrType<string> {
  return new TextType(longestBytes, false);
}

class TextType extends BaseType<string> {
  readonly kind = "text";
  readonly #bytes: XdrType<Uint8Array>;
  readonly #decoder: InstanceType<typeof TextDecoder>;

  constructor(longestBytes: number, fatal: boolean) {
    super();
    this.#bytes = string(longestBytes);
    this.#decoder = new TextDecoder("utf-8", { fatal, ignoreBOM: true });
  }

  _read(reader: Reader, path: string): string {
    const bytes = this.#bytes._read(reader, path);
    try {
      return this.#decoder.decode(bytes);
    } catch {
      throw new XdrError(`${path}: not UTF-8`);
    }
  }

  _write(value: string, writer: Writer, path: string): void {
    if (typeof value !== "string") throw new XdrError(`${path}: expected string`);
    if (value.includes("\0")) throw new XdrError(`${path}: has a NUL`);
    if (!value.isWellFormed()) throw new XdrError(`${path}: is not Unicode`);
    this.#bytes._write(Buffer.from(value), writer, path);
  }
}
