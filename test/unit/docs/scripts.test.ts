import { mkdirSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { blocksForTest, docPages, root, scriptLines } from "../../support/doc-blocks.ts";
import { makeStandInCheckout, writeProgram } from "../../support/stand-in-checkout.ts";

/** A checkout in which the programs that ./scripts/… begin only tell how they are called. */
let checkout: string;

beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), "sojourn-docs-"));
  makeStandInCheckout(checkout, ["bin", "node_modules"]);
  const programs = join(checkout, "node_modules", ".bin");
  mkdirSync(programs, { recursive: true });
  mkdirSync(join(checkout, "bin"));
  for (const name of ["biome", "tsc", "vitest", "node"]) tellsItsCall(join(programs, name));
  tellsItsCall(join(checkout, "bin", "sojourn"));
  writeProgram(join(checkout, "scripts", "setup"), "echo setup; exit $SETUP_STATUS");
});
afterEach(() => rm(checkout, { recursive: true, force: true }));

test("scripts/test sets up, then checks format, lint and types, then runs all tests, or those it is given", async () => {
  const [block] = blocksForTest("test/unit/docs/scripts.test.ts");
  const line = block?.text.split(" #")[0]?.trim() ?? "";
  expect(line).toBe("sudo ./scripts/test");
  const checks = ["setup", "biome ci .", "tsc --noEmit"];
  // What is beside the simulation is told while that one runs.
  const calls = [
    ...checks,
    "vitest run --project unit --project namespaces* --project guests-unmeasured",
    "vitest run --project faults",
    "vitest run --project simulation",
    "vitest run --project guests",
  ];
  expect(await callsOf(line)).toEqual({ exitCode: 0, calls });
  const chosen = await callsOf(`${line} --project unit`);
  expect(chosen.calls.at(-1)).toBe("vitest run --project unit");
  const failed = await callsOf(line, { FAILING: "tsc" });
  expect(failed).toEqual({ exitCode: 1, calls: checks });
  // One project that fails keeps no other one from being run, and what each of them told is at the end once more.
  const told = [...calls, ...calls.slice(checks.length)];
  expect(await callsOf(line, { FAILING: "vitest" })).toEqual({ exitCode: 1, calls: told });
  expect(await callsOf(line, { SETUP_STATUS: "3" })).toEqual({ exitCode: 3, calls: ["setup"] });
});

test("every script sets up first and hands its arguments on", async () => {
  const names = (await readdir(join(root, "scripts"))).filter((name) => name !== "lib");
  expect(names.length).toBeGreaterThan(10);
  for (const name of names.filter((one) => !["setup", "test"].includes(one))) {
    const { exitCode, calls } = await callsOf(`./scripts/${name} --some 'two words'`);
    const takesArguments = !["openapi", "reference"].includes(name);
    expect([name, exitCode, calls[0]]).toEqual([name, 0, "setup"]);
    expect(calls.at(-1)?.endsWith(" --some two words"), `${name}: ${calls}`).toBe(takesArguments);
  }
});

test("every ./scripts/… in the documentation is there and has the options that it is given", () => {
  let count = 0;
  for (const page of docPages()) {
    for (const line of scriptLines(page)) {
      const [name = "", ...words] = line.split(/\s+/);
      const source = sourceOf(name);
      for (const flag of words.filter((word) => word.startsWith("--"))) {
        const option = flag.slice(2);
        const given = new RegExp(`(?:"${option}"|\\b${option}): \\{ type|"--${option}[" ]`);
        expect(source, `${page}: ./scripts/${line}`).toMatch(given);
      }
      count += 1;
    }
  }
  expect(count).toBeGreaterThan(20);
});

/** Where a script's options are read: by itself, by its program, or by the command that it is. */
function sourceOf(name: string): string {
  const wrapper = readFileSync(join(root, "scripts", name), "utf8");
  const [, program] = /scripts\/(lib\/\S+\.ts)/.exec(wrapper) ?? [];
  const [, command] = /bin\/sojourn" (\w+)/.exec(wrapper) ?? [];
  if (program !== undefined) return readFileSync(join(root, "scripts", program), "utf8");
  if (command === undefined) return wrapper;
  return wrapper + readFileSync(join(root, "src", "cli", "commands", `${command}.ts`), "utf8");
}

async function callsOf(line: string, env: Record<string, string> = {}) {
  const { exitCode, stdout, stderr } = await execa("/bin/sh", ["-c", line], {
    ...({ reject: false, stdin: "ignore" } as const),
    cwd: checkout,
    env: { SETUP_STATUS: "0", FAILING: "", ...env, PATH: `${checkout}/tools:${process.env.PATH}` },
  });
  const said = /^(setup|biome|tsc|vitest|node|sojourn)\b/;
  // Set-up goes to standard error where the script's own result does not.
  const calls = [...stderr.split("\n"), ...stdout.split("\n")].filter((text) => said.test(text));
  return { exitCode, calls };
}

function tellsItsCall(path: string): void {
  writeProgram(path, 'name=$(basename "$0"); echo "$name $*"; [ "$name" != "$FAILING" ]');
}
