/** Puts values of an axis onto pixels. */
export interface Scale {
  at(value: number): number;
  ticks: number[];
}

/** Pixels, from and to. */
export type Span = readonly [number, number];

/** An axis from `low` to `high` with round ticks between them. Pure. */
export function linearScale([low, high]: Span, [from, to]: Span): Scale {
  const width = high > low ? high - low : 1;
  const step = roundStep(width / 6);
  const first = Math.ceil(low / step);
  const count = Math.floor((low + width) / step + 1e-9) - first + 1;
  const ticks = Array.from({ length: count }, (_, index) => tidy((first + index) * step));
  return { at: (value) => from + ((value - low) / width) * (to - from), ticks };
}

/** An axis of equal factors, from a power of ten at or below `low` to one at or above `high`; both above 0. */
export function logScale([low, high]: Span, [from, to]: Span): Scale {
  const first = Math.floor(Math.log10(low));
  const last = Math.max(first + 1, Math.ceil(Math.log10(high)));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => tidy(10 ** (first + index)));
  const share = (value: number) =>
    (Math.log10(Math.max(value, 10 ** first)) - first) / (last - first);
  return { at: (value) => from + share(value) * (to - from), ticks };
}

/** Above this ratio of the largest to the smallest value, equal factors tell more than equal steps. */
const wideSpread = 20;

/** Linear from 0, or logarithmic where the values are spread wide. */
export function spreadScale(values: readonly number[], span: Span): Scale {
  const positive = values.filter((value) => value > 0);
  const [low, high] = [positive.reduce(least, Infinity), positive.reduce(greatest, 0)];
  if (high / low > wideSpread) return logScale([low, high], span);
  return linearScale([0, high === 0 ? 1 : high * 1.05], span);
}

/** A pixel as it is written into a file. */
export function pixel(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** 1, 2 or 5 times a power of ten, not below `least`. */
function roundStep(smallest: number): number {
  const power = 10 ** Math.floor(Math.log10(smallest));
  const factor = [1, 2, 5].find((one) => one * power >= smallest) ?? 10;
  return factor * power;
}

function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

function least(left: number, right: number): number {
  return Math.min(left, right);
}

function greatest(left: number, right: number): number {
  return Math.max(left, right);
}
