import type { PacketCounts } from "./series.ts";

const roundLength = 1 << 16;

/**
 * Accounts for the answers to requests numbered 1, 2, 3, … of which only the lowest 16 bits come back.
 * An answer is taken for the request nearest to the highest one answered so far, so a silence has to be
 * shorter than 32768 requests.
 */
export class PacketLedger {
  /** Which of the last `roundLength` requests up to `#highest` have been answered. */
  readonly #answered = new Uint8Array(roundLength);
  #highest = 0;
  #distinct = 0;
  #duplicated = 0;
  #reordered = 0;

  /** Highest request answered so far, which is how many are known to have been sent. */
  get highest(): number {
    return this.#highest;
  }

  /** True for the first answer to a request, false for a duplicate. */
  accept(sequence16: number): boolean {
    const sequence = this.#unwrap(sequence16);
    if (sequence > this.#highest) {
      this.#advanceTo(sequence);
    } else if (this.#answered[sequence % roundLength] === 1) {
      this.#duplicated++;
      return false;
    } else {
      this.#reordered++;
    }
    this.#answered[sequence % roundLength] = 1;
    this.#distinct++;
    return true;
  }

  /**
   * The counts when `sent` requests have gone out. Those after the last answered one may be under way: they
   * are lost only when `tailIsLost`, and left out otherwise.
   * @param unread answers that came and were dropped here, which is no loss of the path.
   */
  counts(sent: number, tailIsLost: boolean, unread = 0): PacketCounts {
    const judged = tailIsLost ? Math.max(sent, this.#highest) : this.#highest;
    const unanswered = judged - this.#distinct;
    return {
      sent: judged,
      lost: Math.max(0, unanswered - unread),
      unread,
      duplicated: this.#duplicated,
      reordered: this.#reordered,
    };
  }

  #unwrap(sequence16: number): number {
    const ahead = (sequence16 - this.#highest) & (roundLength - 1);
    const nearest = this.#highest + (ahead < roundLength / 2 ? ahead : ahead - roundLength);
    return nearest < 1 ? nearest + roundLength : nearest;
  }

  #advanceTo(sequence: number): void {
    for (let next = this.#highest + 1; next < sequence; next++) {
      this.#answered[next % roundLength] = 0;
    }
    this.#highest = sequence;
  }
}
