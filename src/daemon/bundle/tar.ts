/** A file for an archive. */
export interface ArchiveFile {
  /** At most 100 bytes of ASCII. */
  name: string;
  content: Buffer;
}

const blockBytes = 512;

/** The files as a tar archive (POSIX.1-1988 ustar), readable by their owner alone. Pure. */
export function tarOf(files: readonly ArchiveFile[], modifiedMs: number): Buffer {
  const parts = files.flatMap(({ name, content }) => [
    header(name, content.length, modifiedMs),
    content,
    Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * blockBytes)]);
}

function header(name: string, bytes: number, modifiedMs: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const put = (offset: number, text: string) => block.write(text, offset, "latin1");
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  if (Buffer.byteLength(name) > 100) throw new Error(`${name} is too long a name for an archive`);
  put(0, name);
  put(100, `${octal(0o600, 7)}\0`);
  put(108, `${octal(0, 7)}\0`);
  put(116, `${octal(0, 7)}\0`);
  put(124, `${octal(bytes, 11)}\0`);
  put(136, `${octal(Math.floor(modifiedMs / 1000), 11)}\0`);
  // While the sum is computed its own field counts as blanks.
  put(148, " ".repeat(8));
  put(156, "0");
  put(257, "ustar\x0000");
  put(265, "root");
  put(297, "root");
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  return block;
}
