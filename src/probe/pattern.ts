/** RFC 864: lines of 72 of the 95 printable characters and CR LF, each line starting one further. */
const lineCharacters = 72;
const printable = 95;
const lineBytes = lineCharacters + 2;

/** After so many bytes the pattern repeats. */
export const patternPeriodBytes = lineBytes * printable;

/** So many bytes occur only once in a period. */
export const patternSyncBytes = 2 * lineBytes;

/** `lengthBytes` of the pattern, from its first line. */
export function chargenPattern(lengthBytes: number): Buffer {
  const pattern = Buffer.alloc(lengthBytes);
  for (let offset = 0; offset < lengthBytes; offset++) {
    const column = offset % lineBytes;
    const line = Math.floor(offset / lineBytes);
    if (column === lineCharacters) pattern[offset] = 0x0d;
    else if (column === lineCharacters + 1) pattern[offset] = 0x0a;
    else pattern[offset] = 0x20 + ((line + column) % printable);
  }
  return pattern;
}

/**
 * Follows a stream through the pattern. Every byte is compared, with one memory comparison a read; a
 * server may start anywhere in the pattern, so the first bytes only find the place.
 */
export class PatternFollower {
  readonly #pattern: Buffer;
  #position = -1;
  #head = Buffer.alloc(0);

  /** @param maxReadBytes longest piece that `accept` is given */
  constructor(maxReadBytes: number) {
    this.#pattern = chargenPattern(2 * patternPeriodBytes + maxReadBytes);
  }

  /** True once the place in the pattern is known. */
  get isSynchronized(): boolean {
    return this.#position >= 0;
  }

  /** False when the bytes do not continue the pattern, or no place in it fits. */
  accept(bytes: Buffer): boolean {
    if (this.#position < 0) return this.#synchronize(bytes);
    const end = this.#position + bytes.length;
    if (bytes.compare(this.#pattern, this.#position, end) !== 0) return false;
    this.#position = end % patternPeriodBytes;
    return true;
  }

  #synchronize(bytes: Buffer): boolean {
    const needed = patternSyncBytes - this.#head.length;
    this.#head = Buffer.concat([this.#head, bytes.subarray(0, needed)]);
    if (this.#head.length < patternSyncBytes) return true;
    const place = this.#pattern.subarray(0, 2 * patternPeriodBytes).indexOf(this.#head);
    if (place < 0) return false;
    this.#position = (place + patternSyncBytes) % patternPeriodBytes;
    return bytes.length <= needed || this.accept(bytes.subarray(needed));
  }
}
