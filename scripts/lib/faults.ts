/**
 * Runs the fault tests and prints what became of each row of the fault matrix.
 * usage: faults.ts [--rows 3,12,21a] [--json]; see scripts/faults.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { formatTable } from "../../src/cli/table.ts";
import { labsFolder } from "../../src/lab/layout.ts";
import { differences, machineState } from "./machine-state.ts";

/** One row of the matrix as one test shows it. */
interface RowResult {
  /** A number, or text for a row such as 21a. */
  row: number | string;
  test: string;
  passed: boolean;
  faults_injected: number;
  longest_freeze_ms: number | null;
  freeze_limit_ms: number | null;
}

type Measured = Omit<RowResult, "row" | "passed">;

/** Frozen deadline and a second; a test whose limit is longer has a reason (docs/faults.md). */
const usualLimitMs = 3_000;

const root = join(import.meta.dirname, "..", "..");
const { values: options } = parseArgs({
  options: { rows: { type: "string" }, json: { type: "boolean", default: false } },
});
const wanted = options.rows?.split(",").map((row) => row.trim()) ?? null;
const wrong = wanted?.find((row) => !/^\d{1,2}[a-z]?$/.test(row));
if (wrong !== undefined) {
  process.stderr.write(`faults: --rows ${wrong}: not a row (such as 3 or 21a)\n`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "faults-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const labsBefore = labs();
const before = await machineState();
const { outcomes, exitCode } = await runTests();
const leaks = differences(before, await machineState(), isOthers);
const rows = rowResults(outcomes, readMeasured());
const missing = (wanted ?? []).filter((row) => !rows.some((one) => `${one.row}` === row));
if (!options.json) print(`${table(rows)}\n${freezes(rows)}\n${leakLines()}`);
for (const row of missing) process.stderr.write(`faults: no test shows row ${row}\n`);
const failed = [...outcomes].filter(([, passed]) => !passed).map(([test]) => test);
for (const test of failed) process.stderr.write(`faults: failed: ${test}\n`);
for (const leak of leaks) process.stderr.write(`faults: ${leak}\n`);
const longestFreezeMs = longest(rows)?.longest_freeze_ms ?? null;
if (options.json) print(JSON.stringify({ rows, longest_freeze_ms: longestFreezeMs, leaks }));
const isFine = exitCode === 0 && missing.length === 0 && outcomes.size > 0 && leaks.length === 0;
process.exitCode = isFine ? 0 : 1;

/** Title and result of each test that was run. vitest's own output goes to standard error. */
async function runTests(): Promise<{ outcomes: Map<string, boolean>; exitCode: number | null }> {
  const report = join(folder, "report.json");
  const projects = ["--project", "faults", "--project", "guests"];
  const args = ["run", ...projects, "--reporter=default", "--reporter=json"];
  const child = spawn(
    join(root, "node_modules", ".bin", "vitest"),
    [...args, `--outputFile.json=${report}`, "-t", titles(wanted)],
    {
      cwd: root,
      stdio: ["ignore", 2, 2],
      env: {
        ...process.env,
        PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH}`,
        SOJOURN_FAULTS_ALL: "1",
        SOJOURN_FAULTS_RESULTS: join(folder, "results.jsonl"),
      },
    },
  );
  let isInterrupted = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      isInterrupted = true;
      child.kill(signal);
    });
  }
  const [exitCode] = (await once(child, "close")) as [number | null];
  if (isInterrupted) await removeOurLabs();
  if (!existsSync(report)) return { outcomes: new Map(), exitCode: exitCode || 1 };
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
    testResults: { assertionResults: { title: string; status: string }[] }[];
  };
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const run = results.filter(({ status }) => status === "passed" || status === "failed");
  const outcomes = new Map(run.map(({ title, status }) => [title, status === "passed"] as const));
  return { outcomes, exitCode };
}

/** A test that is interrupted leaves its lab. */
async function removeOurLabs(): Promise<void> {
  for (const lab of labs().filter(isOurs)) {
    const args = [join(root, "src", "cli", "main.ts"), "lab", "down", "--lab", lab];
    await once(spawn(process.execPath, args, { stdio: ["ignore", 2, 2] }), "close");
  }
}

/** Somebody else's labs, which may come and go meanwhile, and what all labs share. */
function isOthers(line: string): boolean {
  const others = [...new Set([...labsBefore, ...labs()])].filter((lab) => !isOurs(lab));
  return (
    others.some((lab) => line.includes(lab)) || (others.length > 0 && /sojourn-lab$/.test(line))
  );
}

function isOurs(lab: string): boolean {
  return lab.startsWith("fault-") && !labsBefore.includes(lab);
}

function labs(): string[] {
  return existsSync(labsFolder) ? readdirSync(labsFolder) : [];
}

/** A pattern for titles with `[rows …]` that name one of the rows, or any. */
function titles(rows: readonly string[] | null): string {
  const row = "[0-9]+[a-z]?";
  return `\\[rows (${row}, )*(${rows?.join("|") ?? row})(, ${row})*\\]`;
}

function readMeasured(): Map<string, Measured> {
  const path = join(folder, "results.jsonl");
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => JSON.parse(line) as Measured).map((one) => [one.test, one]));
}

function rowResults(
  outcomes: ReadonlyMap<string, boolean>,
  measured: ReadonlyMap<string, Measured>,
): RowResult[] {
  const results = [...outcomes].flatMap(([test, passed]) =>
    rowsOf(test).map((row) => ({
      row: /^\d+$/.test(row) ? Number(row) : row,
      test: test.replace(/^\[[^\]]*\] /, ""),
      passed,
      faults_injected: measured.get(test)?.faults_injected ?? 0,
      longest_freeze_ms: measured.get(test)?.longest_freeze_ms ?? null,
      freeze_limit_ms: measured.get(test)?.freeze_limit_ms ?? null,
    })),
  );
  return results
    .filter(({ row }) => wanted === null || wanted.includes(`${row}`))
    .toSorted((one, other) => order(one.row) - order(other.row));
}

function rowsOf(title: string): string[] {
  return /^\[rows ([^\]]+)\]/.exec(title)?.[1]?.split(", ") ?? [];
}

/** 21a comes after 21. */
function order(row: number | string): number {
  return typeof row === "number" ? row : Number.parseInt(row, 10) + 0.5;
}

function table(rows: readonly RowResult[]): string {
  const injected = new Map(rows.map(({ test, faults_injected }) => [test, faults_injected]));
  const total = [...injected.values()].reduce((sum, count) => sum + count, 0);
  const cells = rows.map((one) => [
    `${one.row}`,
    one.passed ? "pass" : "FAIL",
    `${one.faults_injected}`,
    `${one.longest_freeze_ms ?? "-"}`,
    `${one.freeze_limit_ms ?? "-"}`,
    one.test,
  ]);
  const heading = ["ROW", "RESULT", "FAULTS", "FREEZE MS", "LIMIT MS", "TEST"];
  return `${formatTable(heading, cells)}\n${injected.size} tests, ${total} faults injected`;
}

/** The longest freeze, against its test's limit and against the usual one. */
function freezes(rows: readonly RowResult[]): string {
  const worst = longest(rows);
  if (worst === undefined) return "longest freeze -";
  const usual = longest(rows.filter(({ freeze_limit_ms }) => freeze_limit_ms === usualLimitMs));
  const told = (one: RowResult) =>
    `${one.longest_freeze_ms} ms of ${one.freeze_limit_ms} ms (${one.test})`;
  const deadline = usual === undefined ? "-" : told(usual);
  return `longest freeze ${told(worst)}\nlongest freeze where the frozen deadline alone decides: ${deadline}`;
}

function longest(rows: readonly RowResult[]): RowResult | undefined {
  const frozen = rows.filter(({ longest_freeze_ms }) => longest_freeze_ms !== null);
  return frozen.toSorted(
    (one, other) => (other.longest_freeze_ms ?? 0) - (one.longest_freeze_ms ?? 0),
  )[0];
}

function leakLines(): string {
  const kinds = Object.keys(before).join(", ");
  if (leaks.length === 0) return `left behind: nothing (${kinds})`;
  return `left behind: ${leaks.length} (${kinds})\n${leaks.join("\n")}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
