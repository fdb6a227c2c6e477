import { monotonicMs, startTimer, type Timer } from "../platform/clock.ts";
import { asSojournError } from "../platform/errors.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import type { PeerRoles } from "./peer-roles.ts";
import { type baseProcedures, protocolVersion } from "./procedures.ts";

const intervalMs = 15_000;
/** A peer that did not answer, as one that starts beside this daemon, is soon asked again. */
const firstRetryMs = 1_000;

export interface PeerMonitorOptions {
  host: string;
  peers: readonly PeerCaller<typeof baseProcedures>[];
  /** Nobody is asked anything meanwhile. */
  isGuestStanding: () => boolean;
  observer: {
    answered(peer: string, tookMs: number): void;
    failed(peer: string, code: string): void;
  };
  /** Learns what peers say of themselves. */
  roles?: Pick<PeerRoles, "remember">;
  /** Milliseconds between two questions to a peer that answers. */
  everyMs?: number;
}

/**
 * Asks each peer now and then whether it is there, one question at a time; one that does not answer after 1 s, 2 s,
 * 4 s and so on up to the usual interval. Ends when disposed.
 */
export class PeerMonitor implements Disposable {
  readonly #options: PeerMonitorOptions;
  readonly #everyMs: number;
  readonly #timers = new Map<string, Timer>();
  readonly #stop = new AbortController();

  constructor(options: PeerMonitorOptions) {
    this.#options = options;
    this.#everyMs = options.everyMs ?? intervalMs;
    for (const peer of options.peers) void this.#ask(peer, firstRetryMs);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const timer of this.#timers.values()) timer.cancel();
  }

  async #ask(caller: PeerCaller<typeof baseProcedures>, retryMs: number): Promise<void> {
    if (this.#options.isGuestStanding()) {
      this.#askAfter(firstRetryMs, caller, retryMs);
      return;
    }
    const isThere = await this.#isThere(caller);
    if (this.#stop.signal.aborted) return;
    if (isThere) this.#askAfter(this.#everyMs, caller, firstRetryMs);
    else this.#askAfter(retryMs, caller, Math.min(2 * retryMs, this.#everyMs));
  }

  #askAfter(delayMs: number, caller: PeerCaller<typeof baseProcedures>, retryMs: number): void {
    const timer = startTimer(() => void this.#ask(caller, retryMs), delayMs);
    this.#timers.set(caller.peer, timer);
  }

  async #isThere(caller: PeerCaller<typeof baseProcedures>): Promise<boolean> {
    const { host, observer, roles } = this.#options;
    const { signal } = this.#stop;
    const startMs = monotonicMs();
    try {
      const greeting = { protocol_version: protocolVersion, host };
      const { role, guest_subnets } = await caller.call("hello", greeting, { signal });
      roles?.remember([{ host: caller.peer, role, guestSubnets: guest_subnets }]);
    } catch (error) {
      if (!signal.aborted) observer.failed(caller.peer, asSojournError(error).code);
      return false;
    }
    observer.answered(caller.peer, monotonicMs() - startMs);
    return true;
  }
}
