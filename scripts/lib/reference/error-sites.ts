import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ExitCode } from "../../../src/platform/errors.ts";

/** How a code is used at one place of the sources; null where the place does not say. */
export interface ErrorSite {
  code: string;
  file: string;
  exitCode: number | null;
  httpStatus: number | null;
  retryable: "yes" | "no" | "depends" | null;
}

interface Defaults {
  exitCode: number;
  httpStatus: number;
}

/** What makes an error, with what it gives to those that say nothing else. */
const makers: Record<string, Defaults> = {
  SojournError: { exitCode: 1, httpStatus: 500 },
  usageError: { exitCode: 2, httpStatus: 400 },
  preconditionError: { exitCode: 3, httpStatus: 409 },
  readToml: { exitCode: 2, httpStatus: 400 },
  HookFailure: { exitCode: 1, httpStatus: 502 },
  super: { exitCode: 1, httpStatus: 500 },
  refused: { exitCode: 2, httpStatus: 400 },
  refusal: { exitCode: 3, httpStatus: 401 },
  forbidden: { exitCode: 3, httpStatus: 403 },
};

/** Every place below `folder` where a code of an error is written, comments apart. */
export function errorSites(folder: string): ErrorSite[] {
  return globSync("**/*.ts", { cwd: folder })
    .toSorted()
    .flatMap((file) => sitesOf(file, withoutComments(readFileSync(join(folder, file), "utf8"))));
}

function sitesOf(file: string, text: string): ErrorSite[] {
  const family = [...text.matchAll(/`(SOJ_[A-Z]+_)\$\{errnoName\}`/g)].map((match) => ({
    ...{ code: `${match[1]}<ERRNO>`, file },
    ...factsOf(text, match.index),
  }));
  const named = [...text.matchAll(/"(SOJ_[A-Z0-9_]+)"/g)].map((match) => ({
    ...{ code: match[1] ?? "", file },
    ...factsOf(text, match.index),
  }));
  return [...family, ...named];
}

function factsOf(
  text: string,
  at: number,
): Pick<ErrorSite, "exitCode" | "httpStatus" | "retryable"> {
  const open = openingBefore(text, at);
  const maker = /([A-Za-z]+)\($/.exec(text.slice(Math.max(0, open - 40), open + 1))?.[1] ?? "";
  const defaults = makers[maker];
  if (defaults === undefined) return { exitCode: null, httpStatus: null, retryable: null };
  const call = text.slice(open, closingAfter(text, open));
  const exit = /exitCode: (?:ExitCode\.([a-zA-Z]+)|([0-9]))/.exec(call);
  const http = /httpStatus: ([0-9]{3})/.exec(call)?.[1] ?? /, ([45][0-9]{2})\)?$/.exec(call)?.[1];
  const retryable = /retryable(?:: ([^,}]+))?/.exec(call);
  return {
    exitCode: exit === null ? defaults.exitCode : codeOf(exit),
    httpStatus: http === undefined ? defaults.httpStatus : Number(http),
    retryable:
      maker === "HookFailure" ? "yes" : retryable === null ? "no" : whether(retryable[1] ?? ""),
  };
}

function codeOf([, name, digit]: readonly (string | undefined)[]): number {
  return name === undefined ? Number(digit) : ExitCode[name as keyof typeof ExitCode];
}

function whether(expression: string): "yes" | "no" | "depends" {
  if (expression.trim() === "true") return "yes";
  return expression.trim() === "false" ? "no" : "depends";
}

/** Where the parenthesis, bracket or brace opens that encloses a place. */
function openingBefore(text: string, at: number): number {
  let depth = 0;
  for (let index = at - 1; index > 0; index--) {
    const character = text[index] ?? "";
    if (")}]".includes(character)) depth++;
    else if ("({[".includes(character) && depth-- === 0) return index;
  }
  return 0;
}

function closingAfter(text: string, open: number): number {
  let depth = 0;
  for (let index = open; index < text.length; index++) {
    const character = text[index] ?? "";
    if ("({[".includes(character)) depth++;
    else if (")}]".includes(character) && --depth === 0) return index;
  }
  return text.length;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) =>
    comment.replace(/[^\n]/g, " "),
  );
}
