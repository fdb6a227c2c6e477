import type { Instruments } from "./instruments.ts";

/** The evacuation under way: how many of its guests are still to come. */
export class EvacuationMetrics {
  #read: () => ReadonlyMap<string, number> = () => new Map();

  constructor(instruments: Instruments) {
    instruments.collectedGauge(
      "sojourn_evacuation_guests",
      "Guests of the evacuation under way from this host, by state; absent without one.",
      ["state"],
      (gauge) => {
        for (const [state, count] of this.#read()) gauge.set({ state }, count);
      },
    );
  }

  know(read: () => ReadonlyMap<string, number>): void {
    this.#read = read;
  }
}
