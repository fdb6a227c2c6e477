import type { Qcow2Header } from "../../../../src/hypervisor/storage/qcow2-header.ts";

/** The first bytes of a QCOW2 image, version 3, that says this of other files (QEMU, docs/interop/qcow2.txt). */
export function qcow2({ backingFile, backingFormat, dataFile }: Qcow2Header): Buffer {
  const header = Buffer.alloc(104);
  header.writeUInt32BE(0x514649fb, 0);
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(104, 100);
  if (dataFile !== null) header.writeBigUInt64BE(1n << 2n, 72);
  const extensions = Buffer.concat([
    extension(0xe2792aca, backingFormat),
    extension(0x44415441, dataFile),
    Buffer.alloc(8),
  ]);
  const name = Buffer.from(backingFile ?? "");
  if (backingFile !== null) {
    header.writeBigUInt64BE(BigInt(header.length + extensions.length), 8);
    header.writeUInt32BE(name.length, 16);
  }
  return Buffer.concat([header, extensions, name]);
}

function extension(type: number, text: string | null): Buffer {
  if (text === null) return Buffer.alloc(0);
  const data = Buffer.from(text);
  const bytes = Buffer.alloc(8 + Math.ceil(data.length / 8) * 8);
  bytes.writeUInt32BE(type, 0);
  bytes.writeUInt32BE(data.length, 4);
  bytes.set(data, 8);
  return bytes;
}
