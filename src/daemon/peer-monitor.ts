import { monotonicMs, startInterval, type Timer } from "../platform/clock.ts";
import { asSojournError } from "../platform/errors.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import { type baseProcedures, protocolVersion } from "./procedures.ts";

const intervalMs = 15_000;

export interface PeerMonitorOptions {
  host: string;
  peers: readonly PeerCaller<typeof baseProcedures>[];
  /** Nobody is asked anything meanwhile. */
  isGuestStanding: () => boolean;
  observer: {
    answered(peer: string, tookMs: number): void;
    failed(peer: string, code: string): void;
  };
  /** Milliseconds between two questions to one peer. */
  everyMs?: number;
}

/** Asks each peer now and then whether it is there, one question at a time. Ends when disposed. */
export class PeerMonitor implements Disposable {
  readonly #options: PeerMonitorOptions;
  readonly #timer: Timer;
  readonly #asking = new Set<string>();
  readonly #stop = new AbortController();

  constructor(options: PeerMonitorOptions) {
    this.#options = options;
    this.#askAll();
    this.#timer = startInterval(() => this.#askAll(), options.everyMs ?? intervalMs);
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#stop.abort();
  }

  #askAll(): void {
    if (this.#options.isGuestStanding()) return;
    for (const peer of this.#options.peers) void this.#ask(peer);
  }

  async #ask(caller: PeerCaller<typeof baseProcedures>): Promise<void> {
    const { host, observer } = this.#options;
    const { peer } = caller;
    if (this.#asking.has(peer)) return;
    this.#asking.add(peer);
    const startMs = monotonicMs();
    const { signal } = this.#stop;
    try {
      await caller.call("hello", { protocol_version: protocolVersion, host }, { signal });
      observer.answered(peer, monotonicMs() - startMs);
    } catch (error) {
      if (!signal.aborted) observer.failed(peer, asSojournError(error).code);
    } finally {
      this.#asking.delete(peer);
    }
  }
}
