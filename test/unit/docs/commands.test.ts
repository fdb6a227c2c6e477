import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Command, type Option } from "commander";
import { expect, test } from "vitest";
import { commandLoaders } from "../../../src/cli/commands.ts";
import { addRemoteOptions } from "../../../src/cli/remote.ts";
import { docPages, root, sojournLines } from "../../support/doc-blocks.ts";

/** What is wrong with a command line: null, or the word that is no command, option, value or argument of it. */
async function faultOf(line: string): Promise<string | null> {
  const words = line.split(/\s+/);
  let command = new Command("sojourn").option("--version");
  addRemoteOptions(command);
  let isCommandDue = true;
  let argumentsTaken = 0;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--")
      return faultOf(
        words
          .slice(index + 1)
          .join(" ")
          .replace(/^sojourn /, ""),
      );
    if (word.startsWith("-")) {
      const [flag = "", inline] = word.split("=");
      const option = command.options.find(({ long, short }) => long === flag || short === flag);
      if (option === undefined && flag !== "--help") return word;
      if (!option?.required) continue;
      const value = inline ?? words[++index];
      if (value !== undefined && !allows(option, value)) return `${flag} ${value}`;
      while (option.variadic && /^[^-]/.test(words[index + 1] ?? "-")) index += 1;
    } else if (isCommandDue) {
      const child = await childOf(command, word);
      if (child === undefined) return word;
      command = child;
      isCommandDue = command.commands.length > 0;
    } else {
      const { registeredArguments: wanted } = command;
      if (argumentsTaken >= wanted.length && !wanted.at(-1)?.variadic) return word;
      argumentsTaken += 1;
    }
  }
  return null;
}

/** Whether the option takes the value; a placeholder, in capitals, a variable or …, stands for one that it takes. */
function allows({ argChoices, parseArg }: Option, value: string): boolean {
  if (/^"?[$…A-Z]/.test(value)) return true;
  if (argChoices !== undefined) return argChoices.includes(value);
  try {
    parseArg?.(value, undefined);
    return true;
  } catch {
    return false;
  }
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

test("every line of sojourn in the documentation and the alerts is one of commands and options that exist", async () => {
  let count = 0;
  for (const page of [...docPages(), "deploy/prometheus/alerts.yml"]) {
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
  expect(await faultOf("migrate web1 host-b")).toBe("host-b");
  expect(await faultOf("migrate web1 --to host-b --tunnel gre")).toBe("--tunnel gre");
  expect(await faultOf("migrate web1 --to host-b --max-outage soon")).toBe("--max-outage soon");
  expect(await faultOf("migrate GUEST --to HOST --tunnel KIND")).toBeNull();
  expect(await faultOf("--host https://h:1 migrate web1 --to host-b --json")).toBeNull();
});

test("docs/commands.md names every command, and every option of migrate", async () => {
  const text = await readFile(join(root, "docs", "commands.md"), "utf8");
  for (const name of Object.keys(commandLoaders)) {
    expect(text).toMatch(new RegExp(`\`(?:sojourn )?${name}(?: [^\`]*)?\``));
  }
  for (const { long } of (await commandLoaders.migrate()).options) expect(text).toContain(long);
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
