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
  /** Where it can be run: `lab`, a node, `here`, `end`; null when it is not marked. */
  run: string | null;
  text: string;
}

/** README.md and the pages of docs/. */
export function docPages(): string[] {
  const pages = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", ...pages.toSorted().map((name) => join("docs", name))];
}

/** The blocks of a page, in order. */
export function blocksOf(page: string): DocBlock[] {
  const blocks: DocBlock[] = [];
  let open: DocBlock | null = null;
  const lines = readFileSync(join(root, page), "utf8").split("\n");
  for (const [index, line] of lines.entries()) {
    const fence = /^ *```(\S*)(?: run=(\S+))?$/.exec(line);
    if (fence === null) {
      if (open !== null) open.text += `${line}\n`;
    } else if (open === null) {
      const [, language = "", run = null] = fence;
      open = { page, line: index + 1, language, run, text: "" };
    } else {
      blocks.push(open);
      open = null;
    }
  }
  return blocks;
}

/** The command lines of `sojourn` in a page, in blocks and in `code`, without the program's name. */
export function sojournLines(page: string): string[] {
  const blocks = blocksOf(page).filter(({ language }) => language === "" || language === "sh");
  const inBlocks = blocks.flatMap(({ text }) => text.replaceAll("\\\n", " ").split("\n"));
  const prose = readFileSync(join(root, page), "utf8").replace(/^ *```[\s\S]*?^ *```/gm, "");
  const inline = [...prose.matchAll(/`((?:\.\/bin\/)?sojourn [^`\n]+)`/g)].map(
    (match) => match[1] ?? "",
  );
  return [...inBlocks, ...inline].flatMap((line) => {
    const found = /(?:^|[\s;&|(])(?:\.\/bin\/)?sojourn ([a-z-].*)$/.exec(
      line.replace(/ {2,}#.*| # .*/, ""),
    );
    return found?.[1] === undefined ? [] : [found[1].replace(/[;)|>&].*$/, "").trim()];
  });
}
