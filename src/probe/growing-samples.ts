/**
 * Numbers in order of arrival, in memory that doubles up to a bound; beyond it the older half is given
 * up, since the end of a measurement is what is asked for.
 */
export class GrowingSamples {
  readonly #maxLength: number;
  #values = new Float64Array(1024);
  #length = 0;

  constructor(maxLength: number) {
    this.#maxLength = Math.max(1024, maxLength);
  }

  get length(): number {
    return this.#length;
  }

  get last(): number | undefined {
    return this.#length === 0 ? undefined : this.#values[this.#length - 1];
  }

  /** How many of the oldest values had to go for this one. */
  push(value: number): number {
    const dropped = this.#length === this.#values.length ? this.#makeRoom() : 0;
    this.#values[this.#length++] = value;
    return dropped;
  }

  toArray(): Float64Array {
    return this.#values.slice(0, this.#length);
  }

  #makeRoom(): number {
    if (this.#values.length < this.#maxLength) {
      const larger = new Float64Array(Math.min(this.#maxLength, this.#values.length * 2));
      larger.set(this.#values);
      this.#values = larger;
      return 0;
    }
    const dropped = Math.ceil(this.#length / 2);
    this.#values.copyWithin(0, dropped);
    this.#length -= dropped;
    return dropped;
  }
}
