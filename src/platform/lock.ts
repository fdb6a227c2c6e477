/** A first-come, first-served lock within this process. */
export class AsyncLock {
  #last: Promise<void> = Promise.resolve();
  #claims = 0;

  /** Somebody holds it, or waits for it. */
  get isBusy(): boolean {
    return this.#claims > 0;
  }

  /** Resolves with the holder's key once everyone before has let go; disposing it lets the next one in. */
  async acquire(): Promise<Disposable> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    this.#claims += 1;
    await before;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#claims -= 1;
        isHeld = false;
        resolve();
      },
    };
  }

  /** Runs `work` while holding the lock. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    using _held = await this.acquire();
    return await work();
  }
}
