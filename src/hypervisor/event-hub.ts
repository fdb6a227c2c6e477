import { startTimer } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import type { GuestEvent } from "./hypervisor.ts";

interface Waiter {
  matches: (event: GuestEvent) => boolean;
  resolve: (event: GuestEvent) => void;
  reject: (error: unknown) => void;
}

export interface WaitOptions {
  timeoutMs: number;
  signal?: AbortSignal;
}

/** Hands events to listeners and to those who wait for one. */
export class EventHub {
  readonly #logger: Logger;
  readonly #listeners = new Set<(event: GuestEvent) => void>();
  readonly #waiters = new Set<Waiter>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  emit(event: GuestEvent): void {
    for (const listener of [...this.#listeners]) this.#guarded(() => listener(event));
    for (const waiter of [...this.#waiters]) {
      try {
        if (waiter.matches(event)) waiter.resolve(event);
      } catch (error) {
        waiter.reject(error);
      }
    }
  }

  listen(listener: (event: GuestEvent) => void): () => void {
    // Wrapped so that the same function may be registered twice.
    const own = (event: GuestEvent) => listener(event);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /**
   * The first event from now on that `matches`; registered before this returns.
   * @throws SojournError `SOJ_EVENT_TIMEOUT` naming `description`; the signal's reason; what `fail` was given
   */
  wait(
    description: string,
    matches: (event: GuestEvent) => boolean,
    { timeoutMs, signal }: WaitOptions,
  ): Promise<GuestEvent> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<GuestEvent>();
    const waiter: Waiter = { matches, resolve, reject };
    this.#waiters.add(waiter);
    const timer = startTimer(() => reject(eventTimeout(description, timeoutMs)), timeoutMs);
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    return promise.finally(() => {
      this.#waiters.delete(waiter);
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
    });
  }

  /** Fails everyone who waits; listeners stay. */
  fail(error: Error): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }

  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#logger.error({ err: error }, "a listener for guest events failed");
    }
  }
}

function eventTimeout(description: string, timeoutMs: number): SojournError {
  return new SojournError("SOJ_EVENT_TIMEOUT", `no ${description} within ${timeoutMs} ms`, {
    retryable: true,
  });
}
