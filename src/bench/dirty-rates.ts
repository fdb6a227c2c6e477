import { usageError } from "../platform/errors.ts";
import { numberOf, quoted, split } from "./flag-values.ts";

const mostMbytes = 10_000;
const mostTimes = 100;

/**
 * Megabytes a second of `--dirty`: whole ones, or parts of the link (`0.5x`), which are rounded to the writer's whole
 * megabits. Null for a flag that was not given. Pure.
 * @throws SojournError `SOJ_USAGE`.
 */
export function dirtyRatesOf(text: string | undefined, linkMbps: number | null): number[] | null {
  if (text === undefined) return null;
  const rates = split("--dirty", text).map((word) =>
    word.endsWith("x")
      ? Math.max(1, Math.round(timesOf(word) * linkOf(word, linkMbps))) / 8
      : numberOf("--dirty", word, { least: 0, most: mostMbytes }),
  );
  if (new Set(rates).size === rates.length) return rates;
  throw usageError(`--dirty ${quoted(text)} names something twice`);
}

function timesOf(word: string): number {
  const times = /^\d{1,3}(?:\.\d{1,3})?x$/.test(word) ? Number(word.slice(0, -1)) : Number.NaN;
  if (times > 0 && times <= mostTimes) return times;
  throw usageError(
    `--dirty ${quoted(word)}: must be a number from 0.001x to ${mostTimes}x`,
    "0.5x: half of what the link takes",
  );
}

function linkOf(word: string, linkMbps: number | null): number {
  if (linkMbps !== null) return linkMbps;
  throw usageError(
    `--dirty ${quoted(word)} is of a link whose limit is not told`,
    "add --link-mbps MBPS",
  );
}
