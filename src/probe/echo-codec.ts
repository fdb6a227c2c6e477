/** Size of a request, and of its answer. */
export const echoMessageBytes = 32;

/**
 * Writes request number `sequence`: its number and bytes derived from it and the session's nonce, so
 * that an answer of another request or session is not taken for the right one.
 */
export function writeEchoMessage(
  target: Buffer,
  offset: number,
  nonce: number,
  sequence: number,
): void {
  let word = (nonce ^ Math.imul(sequence + 1, 0x9e3779b1)) >>> 0;
  target.writeUInt32BE(sequence >>> 0, offset);
  for (let at = 4; at < echoMessageBytes; at += 4) {
    word = Math.imul(word ^ (word >>> 15), 0x85ebca6b) >>> 0;
    target.writeUInt32BE(word, offset + at);
  }
}

/** Checks the answers of one session byte for byte and in order, however the stream is cut. */
export class EchoVerifier {
  readonly #nonce: number;
  readonly #expected = Buffer.alloc(echoMessageBytes);
  #sequence = 0;
  #offset = 0;

  constructor(nonce: number) {
    this.#nonce = nonce;
    writeEchoMessage(this.#expected, 0, nonce, 0);
  }

  /** Number of the answer that is awaited, which is how many have come back whole. */
  get nextSequence(): number {
    return this.#sequence;
  }

  /** False when a byte is not the one that was sent. */
  accept(bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length) {
      const count = Math.min(bytes.length - at, echoMessageBytes - this.#offset);
      const end = this.#offset + count;
      if (bytes.compare(this.#expected, this.#offset, end, at, at + count) !== 0) return false;
      at += count;
      this.#offset = end;
      if (end === echoMessageBytes) this.#expectNext();
    }
    return true;
  }

  #expectNext(): void {
    this.#offset = 0;
    this.#sequence++;
    writeEchoMessage(this.#expected, 0, this.#nonce, this.#sequence);
  }
}
