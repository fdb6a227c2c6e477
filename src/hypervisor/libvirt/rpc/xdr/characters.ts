import {
  BaseType,
  fixedArray,
  int32,
  type Reader,
  type Writer,
  XdrError,
  type XdrType,
} from "@stellar/js-xdr";

/**
 * A `char[length]` of the protocol as a string of Latin-1: each character takes four bytes on the wire (RFC 4506 knows
 * no smaller integer), and the first NUL ends it.
 */
export function characters(length: number): XdrType<string> {
  return new CharactersType(length);
}

class CharactersType extends BaseType<string> {
  readonly kind = "characters";
  readonly #codes;
  readonly #length: number;

  constructor(length: number) {
    super();
    this.#codes = fixedArray(int32(), length);
    this.#length = length;
  }

  _read(reader: Reader, path: string): string {
    const codes = this.#codes._read(reader, path);
    const end = codes.indexOf(0);
    // C's char may be signed.
    return Buffer.from(end < 0 ? codes : codes.slice(0, end)).toString("latin1");
  }

  _write(value: string, writer: Writer, path: string): void {
    const codes = [...Buffer.from(value, "latin1")];
    if (codes.length > this.#length) throw new XdrError(`${path}: longer than ${this.#length}`);
    const padding = Array<number>(this.#length - codes.length).fill(0);
    this.#codes._write([...codes, ...padding], writer, path);
  }
}
