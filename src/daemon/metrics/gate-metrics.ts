import { requestBuckets } from "./buckets.ts";
import type { Instruments } from "./instruments.ts";

/** What came of asking one gate. */
export interface GateAnswer {
  gate: string;
  point: string;
  decision: string;
  waited_ms: number;
}

/** Gates: what they decide and how long migrations wait for them. Names are those of the configuration. */
export class GateMetrics {
  readonly #decisions;
  readonly #waits;

  constructor(instruments: Instruments) {
    this.#decisions = instruments.counter(
      "sojourn_gate_decisions_total",
      "Decisions of gates about migrations, by gate, point and decision.",
      ["gate", "point", "decision"],
    );
    this.#waits = instruments.histogram(
      "sojourn_gate_wait_seconds",
      "Time that migrations waited for a gate, by point.",
      [...requestBuckets, 30, 60, 300],
      ["point"],
    );
  }

  note({ gate, point, decision, waited_ms }: GateAnswer): void {
    this.#decisions.inc({ gate, point, decision });
    this.#waits.observe({ point }, waited_ms / 1000);
  }
}
