import {
  BaseType,
  opaque,
  type Reader,
  type Writer,
  XdrError,
  type XdrType,
} from "@stellar/js-xdr";
import { uuidText } from "../../../../platform/names.ts";

/** A UUID as people write it, in lower case: 16 bytes on the wire (`remote_uuid`). */
export function uuid(): XdrType<string> {
  return new UuidType();
}

const form = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

class UuidType extends BaseType<string> {
  readonly kind = "uuid";
  readonly #bytes = opaque(16);

  _read(reader: Reader, path: string): string {
    return uuidText(Buffer.from(this.#bytes._read(reader, path)));
  }

  _write(value: string, writer: Writer, path: string): void {
    if (typeof value !== "string" || !form.test(value)) throw new XdrError(`${path}: is no UUID`);
    this.#bytes._write(Buffer.from(value.replaceAll("-", ""), "hex"), writer, path);
  }
}
