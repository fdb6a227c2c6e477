/** Of the values that were measured; all null when none was. */
export interface Statistics {
  median: number | null;
  p95: number | null;
  max: number | null;
}

/** Of the values that were measured: the middle and the range; all null when none was. */
export interface Spread {
  median: number | null;
  min: number | null;
  max: number | null;
}

export function spreadOf(values: readonly (number | null)[]): Spread {
  const sorted = known(values).toSorted((left, right) => left - right);
  return { median: median(sorted), min: rounded(sorted[0]), max: rounded(sorted.at(-1)) };
}

/** Median (of an even number the mean of the middle two), 95th percentile by nearest rank, and largest value. */
export function statisticsOf(values: readonly (number | null)[]): Statistics {
  const sorted = known(values).toSorted((left, right) => left - right);
  return {
    median: median(sorted),
    p95: rounded(sorted[Math.ceil(0.95 * sorted.length) - 1]),
    max: rounded(sorted.at(-1)),
  };
}

/** Null when nothing was measured. */
export function medianOf(values: readonly (number | null)[]): number | null {
  return median(known(values).toSorted((left, right) => left - right));
}

/** Null when nothing was measured: a sum of nothing would look like a figure. */
export function sumOf(values: readonly (number | null)[]): number | null {
  const all = known(values);
  return all.length === 0 ? null : all.reduce((sum, value) => sum + value, 0);
}

/** To three decimals; null without both values, or when there is nothing to divide by. */
export function ratioOf(dividend: number | null, divisor: number | null): number | null {
  if (dividend === null || divisor === null || divisor === 0) return null;
  return Math.round((dividend / divisor) * 1000) / 1000;
}

function known(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null);
}

function median(sorted: readonly number[]): number | null {
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? null : rounded((low + high) / 2);
}

/** To a hundredth: the clocks are no better, and the sum of two tenths stays readable. */
function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 100) / 100;
}
