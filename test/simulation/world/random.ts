import { seededRandom } from "../../../src/platform/seeded-random.ts";

/** Numbers that depend on nothing but a seed. */
export class Random {
  readonly #seed: number;
  /** In [0, 1). */
  readonly unit: () => number;
  readonly #streams = new Map<string, Random>();

  constructor(seed: number) {
    this.#seed = seed;
    this.unit = seededRandom(seed ^ 0x9e3779b9);
    for (let turn = 0; turn < 4; turn += 1) this.unit();
  }

  /**
   * Numbers of their own for one purpose: a purpose more, or a draw more for another one, changes nothing here, so
   * that a stored schedule keeps its meaning.
   */
  stream(purpose: string): Random {
    let found = this.#streams.get(purpose);
    if (found === undefined) {
      found = new Random(hashOf(purpose) ^ Math.imul(this.#seed, 0x85ebca6b));
      this.#streams.set(purpose, found);
    }
    return found;
  }

  between(low: number, high: number): number {
    return low + this.unit() * (high - low);
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.unit() * limit);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.unit() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
