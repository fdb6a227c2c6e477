import type { LinkKind } from "../schedule.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** A connection that does not get through for this long is reset. */
const resetAfterMs = 15_000;

/** The two ways between hosts, each for messages of daemons and for streams of hypervisors. */
export class Links {
  readonly #clock: VirtualClock;
  readonly #downUntilMs = new Map<string, number>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  cut(kind: LinkKind, from: string, forMs: number): void {
    const until = this.#clock.nowMs + forMs;
    this.#downUntilMs.set(`${kind} ${from}`, Math.max(until, this.downUntil(kind, from)));
  }

  healAll(): void {
    this.#downUntilMs.clear();
  }

  downUntil(kind: LinkKind, from: string): number {
    if (this.#downUntilMs.size === 0) return 0;
    return this.#downUntilMs.get(`${kind} ${from}`) ?? 0;
  }

  isUp(kind: LinkKind, from: string): boolean {
    return this.downUntil(kind, from) <= this.#clock.nowMs;
  }

  /** Bytes of a stream: they arrive, late if need be, or the connection is reset. */
  stream(from: string, delayMs: number, arrive: () => void, reset: () => void): void {
    const resetMs = this.#clock.nowMs + resetAfterMs;
    const attempt = () => {
      if (this.isUp("data", from)) return arrive();
      if (this.#clock.nowMs >= resetMs) return reset();
      const nextMs = Math.min(resetMs, this.downUntil("data", from));
      this.#clock.after(nextMs - this.#clock.nowMs, attempt);
    };
    this.#clock.after(delayMs, attempt);
  }
}
