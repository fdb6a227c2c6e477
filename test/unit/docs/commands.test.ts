import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { expect, test } from "vitest";
import { commandLoaders } from "../../../src/cli/commands.ts";
import { addRemoteOptions } from "../../../src/cli/remote.ts";
import { blocksOf, docPages, root, sojournLines } from "../../support/doc-blocks.ts";

/** What is wrong with a command line: null, or the word that no command or option is called. */
async function faultOf(line: string): Promise<string | null> {
  const words = line.split(/\s+/);
  let command = new Command("sojourn").option("--version");
  addRemoteOptions(command);
  let isCommandDue = true;
  let skips = 0;
  for (const [index, word] of words.entries()) {
    if (word === "--")
      return faultOf(
        words
          .slice(index + 1)
          .join(" ")
          .replace(/^sojourn /, ""),
      );
    if (skips-- > 0) continue;
    skips = 0;
    if (word.startsWith("-")) {
      const [flag = ""] = word.split("=");
      const option = command.options.find(({ long, short }) => long === flag || short === flag);
      if (option === undefined && flag !== "--help") return word;
      skips = option?.required && !word.includes("=") ? 1 : 0;
    } else if (isCommandDue) {
      const child = await childOf(command, word);
      if (child === undefined) return word;
      command = child;
      isCommandDue = command.commands.length > 0;
    }
  }
  return null;
}

async function childOf(command: Command, word: string): Promise<Command | undefined> {
  if (command.name() !== "sojourn") return command.commands.find((child) => child.name() === word);
  const load = commandLoaders[word as keyof typeof commandLoaders];
  return load === undefined ? undefined : await load();
}

/** A line that runs something else in a node ends there. */
function ofSojourn(line: string): string {
  return line.replace(/ -- (?!sojourn ).*$/, "");
}

test("every line of sojourn in the documentation names commands and options that exist", async () => {
  let count = 0;
  for (const page of docPages()) {
    for (const line of sojournLines(page)) {
      expect(await faultOf(ofSojourn(line)), `${page}: sojourn ${line}`).toBeNull();
      count += 1;
    }
  }
  expect(count).toBeGreaterThan(80);
});

test("a line that is wrong is found", async () => {
  expect(await faultOf("migrate web1 --onto host-b")).toBe("--onto");
  expect(await faultOf("guests ls")).toBe("guests");
  expect(await faultOf("guest list")).toBe("list");
  expect(await faultOf("lab exec host-a -- sojourn hosts")).toBe("hosts");
  expect(await faultOf("--host https://h:1 migrate web1 --to host-b --json")).toBeNull();
});

test("every link between pages, to sources and to a heading's page leads somewhere", async () => {
  for (const page of docPages()) {
    const text = await readFile(join(root, page), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)) {
      expect(existsSync(join(root, dirname(page), target)), `${page}: ${target}`).toBe(true);
    }
  }
});

test("every page is in the index", async () => {
  const index = await readFile(join(root, "docs", "README.md"), "utf8");
  for (const page of docPages().slice(1)) {
    if (page !== "docs/README.md") expect(index).toContain(`(${page.slice("docs/".length)})`);
  }
});

test("blocks are run where the test of the guests knows how", () => {
  const places = docPages()
    .flatMap(blocksOf)
    .map(({ run }) => run);
  for (const place of new Set(places))
    expect(place).toBeOneOf([null, "lab", "host-a", "here", "end"]);
  expect(places.filter((place) => place !== null).length).toBeGreaterThanOrEqual(9);
});
