import { usageError } from "../platform/errors.ts";

export interface Range {
  least: number;
  most: number;
}

/** Of a flag's list: each one known and named once. @throws SojournError `SOJ_USAGE`. */
export function wordsOf<Word extends string>(
  flag: string,
  text: string,
  known: readonly Word[],
): Word[] {
  return split(flag, text).map((word) => {
    const found = known.find((one) => one === word);
    if (found !== undefined) return found;
    throw usageError(`${flag}: there is no ${quoted(word)}`, `choose from ${known.join(", ")}`);
  });
}

/** Null for a flag that was not given. @throws SojournError `SOJ_USAGE`. */
export function numbersOf(flag: string, text: string | undefined, range: Range): number[] | null {
  if (text === undefined) return null;
  return split(flag, text).map((word) => numberOf(flag, word, range));
}

/** @throws SojournError `SOJ_USAGE` unless it is a whole number of the range. */
export function numberOf(flag: string, word: string, { least, most }: Range): number {
  const value = /^\d{1,9}$/.test(word) ? Number(word) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw usageError(`${flag} ${quoted(word)}: must be a whole number from ${least} to ${most}`);
}

/** Of a list whose items must differ. @throws SojournError `SOJ_USAGE`. */
export function split(flag: string, text: string): string[] {
  const words = text.slice(0, 1000).split(",");
  if (new Set(words).size === words.length) return words;
  throw usageError(`${flag} ${quoted(text)} names something twice`);
}

/** As typed, for a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
