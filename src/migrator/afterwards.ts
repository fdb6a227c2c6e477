/** Work that must not take time from a blackout: done at once, or, while held, when the hold ends. */
export class Afterwards {
  #held: (() => void)[] | null = null;

  do(work: () => void): void {
    if (this.#held === null) work();
    else this.#held.push(work);
  }

  hold(): void {
    this.#held ??= [];
  }

  /** Does what was held back, in order. Safe to call without a hold. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const work of held) work();
  }
}
