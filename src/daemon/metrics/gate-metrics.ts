import type { GateEvent } from "../../migrator/events.ts";
import { requestBuckets } from "./buckets.ts";
import type { Instruments } from "./instruments.ts";

type GateFacts = Pick<GateEvent, "gate" | "point" | "decision" | "answered" | "waited_ms">;

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

  note({ gate, point, decision, answered, waited_ms }: GateFacts): void {
    if (decision === "asked") return;
    this.#decisions.inc({ gate, point, decision, answered: String(answered) });
    if (decision !== "delay") this.#waits.observe({ point }, waited_ms / 1000);
  }
}
