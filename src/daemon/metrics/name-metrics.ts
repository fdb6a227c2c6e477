import type { Instruments } from "./instruments.ts";

/** Guests' names in the DNS; all are 0 without [dns]. */
export class NameMetrics {
  readonly #updates;
  #pending: () => number = () => 0;

  constructor(instruments: Instruments) {
    this.#updates = instruments.counter(
      "sojourn_name_updates_total",
      "Updates of guests' names in the DNS, by result; failed ones are tried again.",
      ["result"],
    );
    for (const result of ["done", "failed"]) this.#updates.inc({ result }, 0);
    instruments.collectedGauge(
      "sojourn_names_pending",
      "Guests whose name in the DNS does not lead where it should yet.",
      [],
      (gauge) => gauge.set(this.#pending()),
    );
  }

  know(pending: () => number): void {
    this.#pending = pending;
  }

  note(isDone: boolean): void {
    this.#updates.inc({ result: isDone ? "done" : "failed" });
  }
}
