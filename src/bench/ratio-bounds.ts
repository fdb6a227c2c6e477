import { seededRandom } from "../platform/seeded-random.ts";
import { medianOf } from "./statistics.ts";

const resamples = 4_000;

/**
 * Between which two values the ratio of the medians of two series lies with 95 %: percentile bootstrap (Efron and
 * Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13), the same bounds for the same series. Null with
 * fewer than six values in either: their bounds would say little.
 */
export function ratioBounds(
  these: readonly number[],
  others: readonly number[],
): [low: number, high: number] | null {
  if (Math.min(these.length, others.length) < 6) return null;
  const random = seededRandom(these.length * 1_000 + others.length);
  const ratios = Array.from({ length: resamples }, () => {
    const [dividend, divisor] = [resampledMedian(these, random), resampledMedian(others, random)];
    return dividend / divisor;
  })
    .filter(Number.isFinite)
    .toSorted((left, right) => left - right);
  const at = (share: number) => ratios[Math.round(share * (ratios.length - 1))];
  const [low, high] = [at(0.025), at(0.975)];
  return low === undefined || high === undefined ? null : [rounded(low), rounded(high)];
}

function resampledMedian(values: readonly number[], random: () => number): number {
  const drawn = values.map(() => values[Math.floor(random() * values.length)] ?? null);
  return medianOf(drawn) ?? Number.NaN;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
