import type { RunRecord } from "./records.ts";
import type { Strategy } from "./run.ts";

/**
 * Time that the runs still to come will take, each strategy's from the mean of its own runs so far, or of all
 * runs where it has none; null before the first run. Pure.
 */
export function remainingMs(
  done: readonly Pick<RunRecord, "strategy" | "took_ms">[],
  toCome: readonly Strategy[],
): number | null {
  if (toCome.length === 0) return 0;
  const meanOf = (runs: readonly { took_ms: number }[]) =>
    runs.reduce((sum, run) => sum + run.took_ms, 0) / runs.length;
  if (done.length === 0) return null;
  const overall = meanOf(done);
  const means = new Map<Strategy, number>();
  for (const strategy of new Set(toCome)) {
    const own = done.filter((run) => run.strategy === strategy);
    means.set(strategy, own.length === 0 ? overall : meanOf(own));
  }
  return Math.round(toCome.reduce((sum, strategy) => sum + (means.get(strategy) ?? overall), 0));
}
