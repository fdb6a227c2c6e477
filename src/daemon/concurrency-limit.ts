/** At most so many at the same time, the others in the order in which they came. */
export class ConcurrencyLimit {
  readonly #most: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when it is the caller's turn; disposing ends the turn. @throws `stopped()` when `signal` fires before. */
  async turn(signal: AbortSignal | undefined, stopped: () => Error): Promise<Disposable> {
    if (signal?.aborted) throw stopped();
    if (this.#running >= this.#most) await this.#wait(signal, stopped);
    else this.#running += 1;
    let over = false;
    return {
      [Symbol.dispose]: () => {
        if (!over) this.#next();
        over = true;
      },
    };
  }

  #wait(signal: AbortSignal | undefined, stopped: () => Error): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(begin);
        reject(stopped());
      };
      const begin = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      this.#waiting.add(begin);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** A turn passes on to who waits longest, so that the count stays. */
  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(first);
    first();
  }
}
