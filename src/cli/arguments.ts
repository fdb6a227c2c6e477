import { InvalidArgumentError } from "commander";

/** Reads `250`, `250ms` or `1.5s` as milliseconds, for commander. */
export function parseMilliseconds(text: string): number {
  return parseDuration(text, 1, "milliseconds, such as 100, 100ms or 1.5s");
}

/** Reads `10`, `10s` or `500ms` as seconds, for commander. */
export function parseSeconds(text: string): number {
  return parseDuration(text, 1000, "seconds, such as 10, 10s or 500ms") / 1000;
}

function parseDuration(text: string, defaultUnitMs: number, expected: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s)?$/.exec(text);
  const value = Number(match?.[1]);
  const unitMs = match?.[2] === undefined ? defaultUnitMs : match[2] === "s" ? 1000 : 1;
  if (match === null || !(value > 0)) throw new InvalidArgumentError(`Expected ${expected}.`);
  return value * unitMs;
}

/** For options that may be given several times. */
export function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}
