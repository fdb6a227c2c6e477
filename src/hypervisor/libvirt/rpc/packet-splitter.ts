import { libvirtProtocolError } from "./errors.ts";
import { longestPacketBytes } from "./limits.ts";
import { decodeHeader, headerBytes, type Packet, type PacketHeader } from "./packet.ts";

/** Throws when such a packet should not come now; called before any of its payload is kept. */
export type HeaderCheck = (header: PacketHeader, payloadBytes: number) => void;

/**
 * Cuts a byte stream into packets. Keeps at most one unfinished packet, and no more memory for it than twice what has
 * come of it.
 */
export class PacketSplitter {
  readonly #check: HeaderCheck;
  readonly #longestBytes: number;
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;
  #header: PacketHeader | null = null;
  #wantedBytes = headerBytes;

  constructor(check: HeaderCheck, longestBytes = longestPacketBytes) {
    this.#check = check;
    this.#longestBytes = longestBytes;
  }

  /** Bytes of the unfinished packet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Bytes reserved for it. */
  get reservedBytes(): number {
    return this.#held.length;
  }

  /**
   * Takes the next bytes and gives the packets they complete, each before the next one's header is looked at.
   * @throws SojournError `SOJ_LIBVIRT_PROTOCOL` for a length that no packet has; what the check throws. Nothing after
   * that makes sense any more.
   */
  *push(chunk: Buffer): Generator<Packet, void, void> {
    let rest = chunk;
    while (rest.length > 0) {
      const taken = rest.subarray(0, this.#wantedBytes - this.#heldBytes);
      this.#hold(taken);
      rest = rest.subarray(taken.length);
      if (this.#header === null && this.#heldBytes === headerBytes) this.#readHeader();
      if (this.#header !== null && this.#heldBytes === this.#wantedBytes) {
        yield this.#take(this.#header);
      }
    }
  }

  #readHeader(): void {
    const { packetBytes, header } = decodeHeader(this.#held);
    if (packetBytes < headerBytes || packetBytes > this.#longestBytes) {
      throw libvirtProtocolError(
        `a packet of ${packetBytes} bytes; there are ones of ${headerBytes} to ${this.#longestBytes}`,
      );
    }
    this.#check(header, packetBytes - headerBytes);
    this.#header = header;
    this.#wantedBytes = packetBytes;
  }

  #take(header: PacketHeader): Packet {
    const payload = this.#held.subarray(headerBytes, this.#wantedBytes);
    // The payload is read where it is, so the next packet needs a buffer of its own.
    this.#held = Buffer.alloc(0);
    this.#heldBytes = 0;
    this.#header = null;
    this.#wantedBytes = headerBytes;
    return { header, payload };
  }

  #hold(bytes: Buffer): void {
    const neededBytes = this.#heldBytes + bytes.length;
    // Copied into one buffer: a list of chunks would cost far more than the packet when it drips in.
    if (neededBytes > this.#held.length) {
      const growthBytes = Math.max(neededBytes, 2 * this.#held.length);
      const isHeader = this.#header === null;
      const capacityBytes = isHeader ? headerBytes : Math.min(this.#wantedBytes, growthBytes);
      const larger = Buffer.allocUnsafe(capacityBytes);
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes = neededBytes;
  }
}
