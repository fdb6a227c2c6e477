import { requestBuckets } from "./buckets.ts";
import type { Instruments } from "./instruments.ts";

/** Whether the peers answer, and how fast. */
export class PeerMetrics {
  readonly #up;
  readonly #roundTrip;
  readonly #failures;

  constructor(instruments: Instruments) {
    this.#up = instruments.gauge(
      "sojourn_peer_up",
      "1 when the peer has answered the last time that it was asked, else 0.",
      ["peer"],
    );
    this.#roundTrip = instruments.histogram(
      "sojourn_peer_round_trip_seconds",
      "Time that a peer took to answer when it was asked whether it is there.",
      requestBuckets,
      ["peer"],
    );
    this.#failures = instruments.counter(
      "sojourn_peer_failures_total",
      "Times that a peer did not answer when it was asked whether it is there, by error code.",
      ["peer", "code"],
    );
  }

  answered(peer: string, tookMs: number): void {
    this.#up.set({ peer }, 1);
    this.#roundTrip.observe({ peer }, tookMs / 1000);
  }

  failed(peer: string, code: string): void {
    this.#up.set({ peer }, 0);
    this.#failures.inc({ peer, code });
  }
}
