/** A first-come, first-served lock within this process. */
export class AsyncLock {
  #last: Promise<void> = Promise.resolve();

  /** Resolves with the holder's key once everyone before has let go; disposing it lets the next one in. */
  async acquire(): Promise<Disposable> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    return { [Symbol.dispose]: resolve };
  }

  /** Runs `work` while holding the lock. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    using _held = await this.acquire();
    return await work();
  }
}
