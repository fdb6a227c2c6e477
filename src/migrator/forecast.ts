import { toMbps } from "../platform/rates.ts";

/** Whether a precopy is going to end, and why. */
export interface Forecast {
  converges: boolean;
  /** For people: figures and what follows from them. */
  text: string;
}

/** What it is told from; rates in bytes per second. */
export interface ForecastFigures {
  dirtyBytesPerSecond: number | null;
  linkBytesPerSecond: number;
  throttlePercent: number | null;
  predictedMs: number | null;
  /** The longest predicted blackout that is accepted. */
  limitMs: number;
}

/** Each pass is shorter than the one before only where the guest dirties less than this share of what the link carries. */
const shrinking = 0.8;

/**
 * Converges what leaves little enough already, or is dirtied at a rate clearly below the link's: then each pass leaves
 * less than the one before. Null before the guest's rate is known. Pure.
 */
export function forecastOf(figures: ForecastFigures): Forecast | null {
  const { dirtyBytesPerSecond: dirty, linkBytesPerSecond: link, predictedMs, limitMs } = figures;
  if (dirty === null || predictedMs === null) return null;
  const isLittle = predictedMs <= limitMs;
  const converges = isLittle || dirty < shrinking * link;
  const verdict = converges ? "converges" : "will not converge";
  const text = `${verdict}: dirties ${mbps(dirty)} Mbit/s, link ${mbps(link)} Mbit/s${throttling(figures)}`;
  return { converges, text };
}

function throttling({ throttlePercent }: ForecastFigures): string {
  return throttlePercent === null ? "" : `, throttling at ${throttlePercent} %`;
}

function mbps(bytesPerSecond: number): string {
  return toMbps(bytesPerSecond).toFixed(0);
}
