import type { FlowsReport } from "./report.ts";
import { round } from "./timeline.ts";

/** What is told of carried flows, as it is found out. */
export class FlowFigures {
  readonly #tookMs = new Map<string, number>();
  #found = 0;
  #carried: number | null = null;
  #survived: number | null = null;
  readonly #refused: Record<string, number> = {};

  /** Of `total` flows some are known at the destination, whatever it refuses; null before it is told of any. */
  get progress(): { carried: number; total: number } | null {
    return this.#carried === null ? null : { carried: this.#carried, total: this.#found };
  }

  /** None is known at the destination, though it was told of some. */
  get areAllRefused(): boolean {
    return this.#carried === 0 && Object.keys(this.#refused).length > 0;
  }

  found(total: number): void {
    this.#found = total;
  }

  /** @param told how many flows the destination has been told of so far. */
  carried(refused: Record<string, number>, told: number): void {
    for (const [errno, count] of Object.entries(refused)) {
      this.#refused[errno] = (this.#refused[errno] ?? 0) + count;
    }
    const all = Object.values(this.#refused).reduce((sum, count) => sum + count, 0);
    this.#carried = Math.max(0, told - all);
  }

  took(which: "all" | "difference" | "last", ms: number): void {
    this.#tookMs.set(which, ms);
  }

  survived(count: number): void {
    this.#survived = count;
  }

  report(established: number): FlowsReport {
    const [carryMs, differenceMs] = [this.#tookMs.get("all"), this.#tookMs.get("difference")];
    return {
      established,
      survived: this.#survived,
      ...(this.#carried === null ? {} : { carried: this.#carried }),
      ...(Object.keys(this.#refused).length === 0 ? {} : { refused: { ...this.#refused } }),
      ...(carryMs === undefined ? {} : { carry_ms: round(carryMs) }),
      ...(differenceMs === undefined ? {} : { difference_ms: round(differenceMs) }),
    };
  }
}
