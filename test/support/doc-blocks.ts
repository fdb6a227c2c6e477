import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** A block of code in a page. */
export interface DocBlock {
  /** Relative to the checkout. */
  page: string;
  line: number;
  /** As it is written behind the fence: `sh`, `toml`, … */
  language: string;
  /** Where `test/guests/docs.test.ts` runs it (`run=…`), or null. */
  run: string | null;
  /** The other test file that executes it (`test=…`), or null. */
  test: string | null;
  /** Without the fence's own indentation. */
  text: string;
}

/** README.md and the pages of docs/. */
export function docPages(): string[] {
  const pages = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", ...pages.toSorted().map((name) => join("docs", name))];
}

/** The blocks of a page, in order. @throws Error at a fence that is not understood. */
export function blocksOf(page: string): DocBlock[] {
  return blocksIn(page, readFileSync(join(root, page), "utf8"));
}

/** The blocks of all pages that the test file `path` has to execute. */
export function blocksForTest(path: string): DocBlock[] {
  return docPages()
    .flatMap(blocksOf)
    .filter(({ test }) => test === path);
}

/** The blocks of a text that is called `page`. */
export function blocksIn(page: string, markdown: string): DocBlock[] {
  const blocks: DocBlock[] = [];
  let open: DocBlock | null = null;
  let indent = 0;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = /^( *)(```.*)$/.exec(line);
    if (fence === null) {
      if (open !== null) open.text += `${line.slice(indent)}\n`;
      continue;
    }
    const [, spaces = "", mark = ""] = fence;
    if (open === null) {
      indent = spaces.length;
      open = { page, line: index + 1, ...headOf(mark, `${page}:${index + 1}`), text: "" };
    } else {
      blocks.push(open);
      open = null;
    }
  }
  if (open !== null) throw new Error(`${page}:${open.line}: a block without an end`);
  return blocks;
}

function headOf(fence: string, where: string): Pick<DocBlock, "language" | "run" | "test"> {
  const head = /^```(\S*)(?: (run|test)=(\S+))?$/.exec(fence);
  if (head === null) throw new Error(`${where}: ${fence} is not understood`);
  const [, language = "", kind, place = null] = head;
  return {
    language,
    run: kind === "run" ? place : null,
    test: kind === "test" ? place : null,
  };
}

/** The command lines of `sojourn` in a page, in blocks and in `code`, without the program's name. */
export function sojournLines(page: string): string[] {
  const blocks = blocksOf(page).filter(({ language }) => language === "sh");
  const inBlocks = blocks.flatMap(({ text }) => text.replaceAll("\\\n", " ").split("\n"));
  return [...inBlocks, ...inlineCode(page)].flatMap((line) => {
    const found = /(?:^|[\s;&|(])(?:\.\/bin\/)?sojourn ([a-z-].*)$/.exec(
      line.replace(/ {2,}#.*| # .*/, ""),
    );
    return found?.[1] === undefined ? [] : [found[1].replace(/[;)|>&].*$/, "").trim()];
  });
}

/** The lines of `./scripts/…` in a page, in blocks and in `code`, without `./scripts/`. */
export function scriptLines(page: string): string[] {
  const blocks = blocksOf(page).filter(({ language }) => language === "sh");
  const lines = [...blocks.flatMap(({ text }) => text.split("\n")), ...inlineCode(page)];
  return lines.flatMap((line) => {
    const found = /^(?:sudo )?\.\/scripts\/([a-z-]+.*)$/.exec(line.replace(/ +#.*/, ""));
    return found?.[1] === undefined ? [] : [found[1]];
  });
}

/** What is written as `code` outside of blocks. */
export function inlineCode(page: string): string[] {
  const prose = readFileSync(join(root, page), "utf8").replace(/^ *```[\s\S]*?^ *```/gm, "");
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) =>
    code.replace(/\{\{.*?\}\}/g, "NAME").replace(/\\?\|.*/, ""),
  );
}
