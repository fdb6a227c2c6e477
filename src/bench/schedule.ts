import type { Strategy } from "./run.ts";

export interface ScheduledRun {
  /** From 1; every strategy runs once in each. */
  round: number;
  strategy: Strategy;
}

/**
 * Rounds in which every strategy runs once, so that drift hits all alike. The order within a round changes in such
 * a way (a Williams design) that no strategy always follows the same one; only `pause` comes after `lossless`
 * always, since it takes its time from there. Pure.
 */
export function scheduleRuns(strategies: readonly Strategy[], rounds: number): ScheduledRun[] {
  return Array.from({ length: rounds }, (_, index) =>
    pauseAfterLossless(orderOf(strategies, index)).map((strategy) => ({
      round: index + 1,
      strategy,
    })),
  ).flat();
}

/** Row `index` of the design: 0, 1, n-1, 2, n-2, … with `index` added; every other cycle is read backwards. */
function orderOf(strategies: readonly Strategy[], index: number): Strategy[] {
  const count = strategies.length;
  const order = strategies.map((_, place) => {
    const step = place % 2 === 1 ? (place + 1) / 2 : count - place / 2;
    return strategies[(step + index) % count] as Strategy;
  });
  return Math.floor(index / count) % 2 === 0 ? order : order.toReversed();
}

function pauseAfterLossless(order: Strategy[]): Strategy[] {
  const [pause, lossless] = [order.indexOf("pause"), order.indexOf("lossless")];
  if (pause === -1 || lossless < pause) return order;
  return order.with(pause, "lossless").with(lossless, "pause");
}
