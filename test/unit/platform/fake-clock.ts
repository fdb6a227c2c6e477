import { replaceClock } from "../../../src/platform/clock.ts";

interface Planned {
  atMs: number;
  work: () => void;
}

/** A clock that moves when it is told to. Disposing gives the real one back. */
export class FakeClock implements Disposable {
  nowMs = 1_000_000;
  /** By how much somebody has set the wall clock; the other one nobody can. */
  wallOffsetMs = 0;
  readonly #planned = new Set<Planned>();
  readonly #replaced: Disposable;

  constructor() {
    this.#replaced = replaceClock({
      monotonicMs: () => this.nowMs,
      wallClockMs: () => this.nowMs + this.wallOffsetMs,
      startTimer: (work, delayMs) => {
        const planned = { atMs: this.nowMs + delayMs, work };
        this.#planned.add(planned);
        return { cancel: () => void this.#planned.delete(planned) };
      },
    });
  }

  /** Time goes by and timers have their turn, each at its own moment. */
  run(forMs: number): void {
    const endMs = this.nowMs + forMs;
    for (;;) {
      const [next] = [...this.#planned].toSorted((one, other) => one.atMs - other.atMs);
      if (next === undefined || next.atMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      this.#planned.delete(next);
      next.work();
    }
    this.nowMs = endMs;
  }

  /** Time goes by and nothing of this process has its turn. */
  stall(forMs: number): void {
    this.nowMs += forMs;
  }

  [Symbol.dispose](): void {
    this.#replaced[Symbol.dispose]();
  }
}

/** Lets time go by in small steps, with what follows from each. */
export async function pass(clock: FakeClock, forMs: number, stepMs = 20): Promise<void> {
  await settled();
  for (let passedMs = 0; passedMs < forMs; passedMs += stepMs) {
    clock.run(Math.min(stepMs, forMs - passedMs));
    await settled();
  }
}

/** Lets everything that is ready have its turn. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
