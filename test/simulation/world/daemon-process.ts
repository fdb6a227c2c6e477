import { AsyncLocalStorage } from "node:async_hooks";

/** What code of a killed process meets at its next durable write: it does nothing any more. */
export class Killed extends Error {}

/** One life of a host's daemon. */
export class DaemonProcess {
  readonly host: string;
  alive = true;
  /** Its event loop does nothing before that. */
  stalledUntilMs = 0;
  readonly #atEnd: (() => void)[] = [];

  constructor(host: string) {
    this.host = host;
  }

  /** Calls back when it ends. */
  onEnd(listener: () => void): void {
    this.#atEnd.push(listener);
  }

  end(): void {
    this.alive = false;
    for (const listener of this.#atEnd.splice(0)) listener();
  }

  /** @throws Killed */
  check(): void {
    if (!this.alive) throw new Killed(`${this.host}'s daemon was killed`);
  }
}

/** Whose code is running: the process that started what it runs as a consequence of. */
export const runningProcess = new AsyncLocalStorage<DaemonProcess>();

/** What code of a killed process waits for. */
export const never: Promise<never> = new Promise(() => {});
