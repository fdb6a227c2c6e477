import { InvalidArgumentError } from "commander";
import { guestShareSchema } from "../hypervisor/guest-migration.ts";
import { isAddressWish } from "../migrator/renumber-address.ts";
import { hasItsDelay, type Strategy, strategyNames } from "../migrator/strategy.ts";

/** Reads `250`, `250ms` or `1.5s` as milliseconds, for commander. */
export function parseMilliseconds(text: string): number {
  return parseDuration(text, 1, "milliseconds, such as 100, 100ms or 1.5s");
}

/** Reads `10`, `10s` or `500ms` as seconds, for commander. */
export function parseSeconds(text: string): number {
  return parseDuration(text, 1000, "seconds, such as 10, 10s or 500ms") / 1000;
}

/** The same, or 0 for never. */
export function parseSecondsOrNever(text: string): number {
  return text === "0" ? 0 : parseSeconds(text);
}

/** Reads a whole number from 1 to 16, for commander. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (/^\d{1,2}$/.test(text) && value >= 1 && value <= 16) return value;
  throw new InvalidArgumentError("Expected a whole number from 1 to 16.");
}

/** Reads a percentage of a link that is left to others, for commander. */
export function parseShare(text: string): number {
  const percent = guestShareSchema.safeParse(
    /^\d{1,2}(\.\d{1,3})?$/.test(text) ? Number(text) : null,
  );
  if (percent.success) return percent.data;
  throw new InvalidArgumentError("Expected percent of the link, from 0 to 95.");
}

/** Reads an IPv4 address or `auto`, for commander. */
export function parseAddressWish(text: string): string {
  if (isAddressWish(text)) return text;
  throw new InvalidArgumentError("Expected an IPv4 address of the destination's subnet, or auto.");
}

function parseDuration(text: string, defaultUnitMs: number, expected: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s)?$/.exec(text);
  const value = Number(match?.[1]);
  const unitMs = match?.[2] === undefined ? defaultUnitMs : match[2] === "s" ? 1000 : 1;
  if (match === null || !(value > 0)) throw new InvalidArgumentError(`Expected ${expected}.`);
  return value * unitMs;
}

/** Reads `flip` or `script-2009:1500`, for commander. */
export function parseStrategy(text: string): Strategy {
  const match = /^([a-z0-9-]{1,20})(?::(\d{1,6}(?:\.\d{1,3})?))?$/.exec(text);
  const name = strategyNames.find((known) => known === match?.[1]);
  const delayMs = match?.[2];
  if (name !== undefined) {
    const wanted = { name, ...(delayMs === undefined ? {} : { delay_ms: Number(delayMs) }) };
    if (hasItsDelay(wanted)) return wanted;
  }
  const names = strategyNames.join(", ");
  throw new InvalidArgumentError(
    `Expected one of ${names}; the last with the time to its route change, as script-2009:1500.`,
  );
}

/** For options that may be given several times. */
export function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}
