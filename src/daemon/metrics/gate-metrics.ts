import { requestBuckets } from "./buckets.ts";
import type { Instruments } from "./instruments.ts";

/** What was heard of a gate (`GateEvent`). */
export interface GateWord {
  gate: string;
  point: string;
  /** `asked` when its waiting begins, then perhaps `delay`; the last one is `allow` or `deny`. */
  decision: string;
  /** False when its configured default was taken. */
  answered: boolean;
  waited_ms: number;
}

/** Gates: what they decide and how long migrations wait for them. Names are those of the configuration. */
export class GateMetrics {
  readonly #decisions;
  readonly #waits;

  constructor(instruments: Instruments) {
    this.#decisions = instruments.counter(
      "sojourn_gate_decisions_total",
      "What gates said about migrations, by gate and point; not answered where the configured default was taken.",
      ["gate", "point", "decision", "answered"],
    );
    this.#waits = instruments.histogram(
      "sojourn_gate_wait_seconds",
      "Time from asking a gate to its decision, by point.",
      [...requestBuckets, 30, 60, 300],
      ["point"],
    );
  }

  note({ gate, point, decision, answered, waited_ms }: GateWord): void {
    if (decision === "asked") return;
    this.#decisions.inc({ gate, point, decision, answered: String(answered) });
    if (decision !== "delay") this.#waits.observe({ point }, waited_ms / 1000);
  }
}
