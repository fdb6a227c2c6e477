import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { blocksIn, blocksOf, type DocBlock, docPages, root } from "../../support/doc-blocks.ts";

/** Where test/guests/docs.test.ts runs blocks. */
const places = {
  sh: ["lab", "end", "here", "new-host", "host-a", "client"],
  ts: ["host-a"],
  toml: ["host-a"],
} as Readonly<Record<string, readonly string[]>>;

const blocks = docPages().flatMap(blocksOf);

test("every block of commands is executed by a test", () => {
  expect(blocks.flatMap(faultsOf)).toEqual([]);
  const executed = blocks.filter(({ run, test: file }) => run !== null || file !== null);
  expect(executed.length).toBeGreaterThan(30);
});

test("a block that no test executes is found", () => {
  const faults = (markdown: string) => blocksIn("page.md", markdown).flatMap(faultsOf);
  const commands = "sojourn status\n./scripts/bench --runs 1\n```\n";
  const no = (fault: string) => [`page.md:1: ${fault}`];
  expect(faults(`\`\`\`\n${commands}`)).toEqual(no("a block without a language"));
  expect(faults(`\`\`\`console\n${commands}`)).toEqual(no("a block of console"));
  expect(faults(`\`\`\`sh\n${commands}`)).toEqual(no("commands that no test executes"));
  expect(faults(`\`\`\`sh run=moon\n${commands}`)).toEqual(no("nothing is run at moon"));
  expect(faults(`\`\`\`json run=host-a\n{}\n\`\`\`\n`)).toEqual(no("nothing is run at host-a"));
  expect(faults(`\`\`\`sh test=test/none.test.ts\n${commands}`)).toEqual(
    no("test/none.test.ts is not there"),
  );
  const benches = "test/guests/bench.test.ts";
  expect(faults(`\`\`\`sh test=${benches}\n./scripts/bench\n\`\`\`\n`)).toEqual([]);
  expect(faults(`\`\`\`sh test=${benches}\n./scripts/faults\n\`\`\`\n`)).toEqual(
    no(`${benches} has no faults`),
  );
  expect(faults(`\`\`\`sh test=src/cli/main.ts\n${commands}`)).toEqual(
    no("src/cli/main.ts is no test"),
  );
  expect(() => blocksIn("page.md", "```sh run=\n```\n")).toThrow("page.md:1");
  expect(() => blocksIn("page.md", "```sh\n")).toThrow("without an end");
});

function faultsOf({ page, line, ...block }: DocBlock): string[] {
  return faultsIn(block).map((fault) => `${page}:${line}: ${fault}`);
}

function faultsIn({ language, run, test: file, text }: Omit<DocBlock, "page" | "line">): string[] {
  if (language === "") return ["a block without a language"];
  if (run !== null) return places[language]?.includes(run) ? [] : [`nothing is run at ${run}`];
  if (file !== null) return faultsOfTest(file, text);
  if (language === "sh" || language === "ts") return ["commands that no test executes"];
  return ["json", "text", "toml"].includes(language) ? [] : [`a block of ${language}`];
}

/** A test that executes a block names its programs. */
function faultsOfTest(file: string, text: string): string[] {
  if (!/^test\/.*\.test\.ts$/.test(file)) return [`${file} is no test`];
  if (!existsSync(join(root, file))) return [`${file} is not there`];
  const source = readFileSync(join(root, file), "utf8");
  const programs = [...text.matchAll(/(?:^|[\s(])(?:\.\/scripts\/|sojourn )([a-z-]+)/gm)];
  const names = new Set(programs.map(([, name = ""]) => name));
  const silent = [...names].filter((name) => !source.includes(name));
  return names.size === 0
    ? ["a block of no program of ours"]
    : silent.map((name) => `${file} has no ${name}`);
}
