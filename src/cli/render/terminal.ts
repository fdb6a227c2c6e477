/** What a rendering may use of the terminal it is for. */
export interface TerminalForm {
  /** Columns a line may have. */
  width: number;
  /** Whether characters beyond ASCII are shown. */
  unicode: boolean;
}

/** The form of a terminal, from its width and the locale's environment variables. */
export function terminalForm(
  columns: number | undefined,
  env: Readonly<Record<string, string | undefined>>,
): TerminalForm {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || "";
  return { width: columns ?? 80, unicode: /utf-?8/i.test(locale) && env.TERM !== "linux" };
}

/** The text with the few characters that we use beyond ASCII replaced, where the terminal needs it. */
export function plainText(text: string, { unicode }: TerminalForm): string {
  return unicode ? text : text.replaceAll("→", "->").replaceAll("≤", "<=");
}

/** The text without what a terminal would obey or show in another order: it may hold words of other hosts. */
export function harmlessText(text: string): string {
  return text.replaceAll(/(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}]/gu, "?");
}
