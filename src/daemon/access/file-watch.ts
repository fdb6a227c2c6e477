import { stat } from "node:fs/promises";
import { startTimer, type Timer } from "../../platform/clock.ts";

/**
 * Calls `onChange` after one of the files has changed, came or went, and again until it returns true. It looks at them
 * every `intervalMs`: they may be links into folders that are exchanged as a whole, which no watch would see.
 */
export class FileWatch implements Disposable {
  readonly #paths: readonly string[];
  readonly #onChange: () => Promise<boolean>;
  readonly #intervalMs: number;
  #seen: string | null = null;
  #timer: Timer | null = null;
  #isDisposed = false;

  constructor(paths: readonly string[], onChange: () => Promise<boolean>, intervalMs: number) {
    this.#paths = paths;
    this.#onChange = onChange;
    this.#intervalMs = intervalMs;
  }

  /** Remembers the files as they are, before their first reading, and begins to watch. */
  async start(): Promise<void> {
    this.#seen = await this.#look();
    this.#next();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#timer?.cancel();
  }

  #next(): void {
    if (this.#isDisposed) return;
    this.#timer = startTimer(() => void this.#check(), this.#intervalMs, false);
  }

  async #check(): Promise<void> {
    const found = await this.#look();
    if (found !== this.#seen && !this.#isDisposed) {
      this.#seen = (await this.#onChange()) ? found : null;
    }
    this.#next();
  }

  async #look(): Promise<string> {
    const states = await Promise.all(this.#paths.map((path) => stat(path).catch(() => null)));
    const facts = states.map((one) =>
      one === null ? null : [one.dev, one.ino, one.size, one.mtimeMs, one.ctimeMs],
    );
    return JSON.stringify(facts);
  }
}
