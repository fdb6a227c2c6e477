import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blocksForTest, root } from "../support/doc-blocks.ts";
import { makeStandInCheckout } from "../support/stand-in-checkout.ts";

/** The documentation's lines that take hours, with smaller numbers. */
const lines = blocksForTest("test/guests/docs-programs.test.ts").flatMap(({ text }) =>
  text.split("\n").flatMap((line) => line.replace(/ +#.*/, "") || []),
);
const faults = lines.filter((line) => line.startsWith("./scripts/faults"));
const simulations = lines.filter((line) => line.startsWith("./scripts/simulate"));

let checkout: string;

beforeAll(async () => {
  checkout = await mkdtemp(join(tmpdir(), "sojourn-docs-"));
  makeStandInCheckout(checkout, ["test", "vitest.config.ts"]);
  mkdirSync(join(checkout, "test", "faults"), { recursive: true });
  for (const name of ["simulation", "support"]) {
    symlinkSync(join(root, "test", name), join(checkout, "test", name));
  }
  writeFileSync(join(checkout, "vitest.config.ts"), smallConfig);
  writeFileSync(join(checkout, "test", "faults", "small.test.ts"), smallMatrix);
});
afterAll(() => rm(checkout, { recursive: true, force: true }));

test("each line of a block is of a program that is tried here", () => {
  expect([...faults, ...simulations].toSorted()).toEqual(lines.toSorted());
  expect(faults.length).toBeGreaterThan(1);
  expect(simulations.length).toBeGreaterThan(3);
});

test.each(faults)("%s, of a matrix of two tests", async (line) => {
  const { exitCode, stdout, stderr } = await run(line);
  const rows = line.includes("--rows") ? [3, 3, "21a"] : [3, 3, "21a", 40];
  // What others do on this machine meanwhile is told as left behind too.
  if (line.includes("--json")) {
    const last = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    expect(last.rows.map(({ row }: { row: unknown }) => row)).toEqual(rows);
    expect(last.longest_freeze_ms).toBe(7);
    expect(exitCode, stderr).toBe(last.leaks.length === 0 ? 0 : 1);
  } else {
    const passed = stdout.split("\n").filter((row) => / pass /.test(row));
    expect(passed.map((row) => row.split(" ")[0])).toEqual(rows.map(String));
    expect(exitCode, stderr).toBe(stdout.includes("left behind: nothing") ? 0 : 1);
  }
});

test.each(simulations)("%s, of few schedules", async (line) => {
  const bare = line === "./scripts/simulate" ? " --schedules 50" : "";
  const few = line.replace(/--schedules \d{3,}/, "--schedules 50") + bare;
  const { exitCode, stdout, stderr } = await run(few);
  expect(exitCode, stderr + stdout).toBe(line.includes("--mutant") ? 1 : 0);
  if (line.includes("--json")) expect(JSON.parse(stdout)).toMatchObject({ seed: 7, failed: 0 });
  if (line.includes("--trace")) expect(stdout.split("\n").length).toBeGreaterThan(20);
});

function run(line: string) {
  return execa("/bin/sh", ["-c", line], {
    ...({ reject: false, stdin: "ignore", timeout: 120_000 } as const),
    cwd: checkout,
  });
}

/** scripts/faults runs the projects `faults` and `guests`. */
const smallConfig = `export default { test: { projects: ["faults", "guests"].map((name) => ({
  test: { name, include: [\`test/\${name}/*.test.ts\`] } })) } };
`;

const smallMatrix = `import { appendFileSync } from "node:fs";
import { expect, test } from "vitest";

const tell = (longest_freeze_ms: number | null) => appendFileSync(
  process.env.SOJOURN_FAULTS_RESULTS ?? "",
  JSON.stringify({ test: expect.getState().currentTestName, faults_injected: 1, longest_freeze_ms, freeze_limit_ms: 3000 }) + "\\n");

test("[rows 3, 21a] one fault", () => tell(7));
test("[rows 3] another", () => tell(5));
test("[rows 40] a third", () => tell(null));
`;
