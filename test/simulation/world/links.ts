import type { LinkKind } from "../schedule.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** A connection that does not get through for this long is reset. */
const resetAfterMs = 15_000;

export interface Way {
  from: string;
  to: string;
}

/** That of a stream; one that nobody receives goes nowhere. */
export function wayOf(source: { host: string }, destination: { host: string } | null): Way {
  return { from: source.host, to: destination?.host ?? source.host };
}

/** The two ways between hosts, each for messages of daemons and for streams of hypervisors. */
export class Links {
  readonly #clock: VirtualClock;
  readonly #downUntilMs = new Map<string, number>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Nothing gets through that `from` sends, or only nothing that it sends `to` one host. */
  cut(kind: LinkKind, from: string, forMs: number, to?: string): void {
    const until = this.#clock.nowMs + forMs;
    const key = to === undefined ? `${kind} ${from}` : `${kind} ${from} ${to}`;
    this.#downUntilMs.set(key, Math.max(until, this.#downUntilMs.get(key) ?? 0));
  }

  healAll(): void {
    this.#downUntilMs.clear();
  }

  downUntil(kind: LinkKind, { from, to }: Way): number {
    if (this.#downUntilMs.size === 0) return 0;
    const all = this.#downUntilMs.get(`${kind} ${from}`) ?? 0;
    return Math.max(all, this.#downUntilMs.get(`${kind} ${from} ${to}`) ?? 0);
  }

  isUp(kind: LinkKind, way: Way): boolean {
    return this.downUntil(kind, way) <= this.#clock.nowMs;
  }

  /** Bytes of a stream: they arrive, late if need be, or the connection is reset. */
  stream(way: Way, delayMs: number, arrive: () => void, reset: () => void): void {
    const resetMs = this.#clock.nowMs + resetAfterMs;
    const attempt = () => {
      if (this.isUp("data", way)) return arrive();
      if (this.#clock.nowMs >= resetMs) return reset();
      const nextMs = Math.min(resetMs, this.downUntil("data", way));
      this.#clock.after(nextMs - this.#clock.nowMs, attempt);
    };
    this.#clock.after(delayMs, attempt);
  }
}
