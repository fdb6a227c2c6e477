/** What the header of a QCOW2 image says about other files. */
export interface Qcow2Header {
  backingFile: string | null;
  backingFormat: string | null;
  /** Of an image that holds no data itself. */
  dataFile: string | null;
}

const magic = 0x514649fb;
const longestName = 1023;
const externalData = 1n << 2n;
const endOfExtensions = 0;
const backingFormatExtension = 0xe2792aca;
const dataFileExtension = 0x44415441;

/**
 * Reads the start of a QCOW2 image, versions 2 and 3 (QEMU, docs/interop/qcow2.txt).
 * @param bytes at least its header, its extensions and the backing file's name: its first cluster.
 * @throws Error for what is no such image, or is cut.
 */
export function readQcow2Header(bytes: Buffer): Qcow2Header {
  if (bytes.length < 72 || bytes.readUInt32BE(0) !== magic) throw new Error("not a QCOW2 image");
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw new Error(`QCOW2 version ${version} is not known`);
  const nameOffset = bytes.readBigUInt64BE(8);
  const nameBytes = bytes.readUInt32BE(16);
  const headerBytes = version === 2 ? 72 : checked(bytes, 104).readUInt32BE(100);
  const features = version === 2 ? 0n : bytes.readBigUInt64BE(72);
  const end = nameOffset === 0n ? bytes.length : Math.min(Number(nameOffset), bytes.length);
  const extensions = extensionsOf(bytes.subarray(0, end), headerBytes);
  const dataFile = extensions.get(dataFileExtension) ?? null;
  const hasDataFile = (features & externalData) !== 0n;
  if (hasDataFile && dataFile === null) throw new Error("its data file has no name");
  return {
    backingFile: nameOffset === 0n ? null : textAt(bytes, nameOffset, nameBytes),
    backingFormat: extensions.get(backingFormatExtension) ?? null,
    dataFile: hasDataFile ? dataFile : null,
  };
}

function extensionsOf(bytes: Buffer, start: number): Map<number, string> {
  const found = new Map<number, string>();
  let at = start;
  while (at + 8 <= bytes.length) {
    const type = bytes.readUInt32BE(at);
    const length = bytes.readUInt32BE(at + 4);
    if (type === endOfExtensions) return found;
    if (at + 8 + length > bytes.length) throw new Error("its header is cut");
    if (length <= longestName) found.set(type, bytes.toString("utf8", at + 8, at + 8 + length));
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return found;
}

function textAt(bytes: Buffer, offset: bigint, length: number): string {
  if (length > longestName || offset + BigInt(length) > BigInt(bytes.length)) {
    throw new Error("the name of what it lies on is out of place");
  }
  return bytes.toString("utf8", Number(offset), Number(offset) + length);
}

function checked(bytes: Buffer, least: number): Buffer {
  if (bytes.length < least) throw new Error("its header is cut");
  return bytes;
}
