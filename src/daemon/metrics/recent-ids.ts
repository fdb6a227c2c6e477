/** The ids that were noted last, at most `most` of them. */
export class RecentIds {
  readonly #most: number;
  readonly #ids = new Set<string>();

  constructor(most = 1_000) {
    this.#most = most;
  }

  /** False for one that is noted already. */
  note(id: string): boolean {
    if (this.#ids.has(id)) return false;
    const [oldest] = this.#ids;
    if (this.#ids.size >= this.#most && oldest !== undefined) this.#ids.delete(oldest);
    this.#ids.add(id);
    return true;
  }
}
