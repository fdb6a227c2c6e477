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

/** One row of the matrix as one test shows it. */
interface RowResult {
  /** A number, or text for a row such as 21a. */
  row: number | string;
  test: string;
  passed: boolean;
  faults_injected: number;
  longest_freeze_ms: number | null;
}

interface Measured {
  test: string;
  faults_injected: number;
  longest_freeze_ms: number | null;
}

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
const { outcomes, exitCode } = await runTests();
const rows = rowResults(outcomes, readMeasured());
const missing = (wanted ?? []).filter((row) => !rows.some((one) => `${one.row}` === row));
if (!options.json) print(table(rows));
for (const row of missing) process.stderr.write(`faults: no test shows row ${row}\n`);
const failed = [...outcomes].filter(([, passed]) => !passed).map(([test]) => test);
for (const test of failed) process.stderr.write(`faults: failed: ${test}\n`);
const left = leftLabs();
for (const lab of left) process.stderr.write(`faults: the lab ${lab} was left behind\n`);
if (options.json) print(JSON.stringify({ rows }));
const isFine = exitCode === 0 && missing.length === 0 && outcomes.size > 0 && left.length === 0;
process.exitCode = isFine ? 0 : 1;

/** Title and result of each test that was run. vitest's own output goes to standard error. */
async function runTests(): Promise<{ outcomes: Map<string, boolean>; exitCode: number | null }> {
  const report = join(folder, "report.json");
  const args = ["run", "--project", "faults", "--reporter=default", "--reporter=json"];
  const child = spawn(
    join(root, "node_modules", ".bin", "vitest"),
    [...args, `--outputFile.json=${report}`, ...(wanted === null ? [] : ["-t", titles(wanted)])],
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
  // A lab takes itself down when its test ends: so the tests are asked to end, and waited for.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  const [exitCode] = (await once(child, "close")) as [number | null];
  if (!existsSync(report)) return { outcomes: new Map(), exitCode: exitCode || 1 };
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
    testResults: { assertionResults: { title: string; status: string }[] }[];
  };
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const run = results.filter(({ status }) => status === "passed" || status === "failed");
  const outcomes = new Map(run.map(({ title, status }) => [title, status === "passed"] as const));
  return { outcomes, exitCode };
}

/** Labs of the fault tests that are still there. */
function leftLabs(): string[] {
  if (!existsSync(labsFolder)) return [];
  return readdirSync(labsFolder).filter((lab) => lab.startsWith("fault-"));
}

/** A pattern for titles that begin with `[rows …]` and name one of the rows. */
function titles(rows: readonly string[]): string {
  return `^\\[rows ([0-9]+[a-z]?, )*(${rows.join("|")})(, [0-9]+[a-z]?)*\\]`;
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
  const freezes = rows.flatMap(({ longest_freeze_ms }) => longest_freeze_ms ?? []);
  const cells = rows.map((one) => [
    `${one.row}`,
    one.passed ? "pass" : "FAIL",
    `${one.faults_injected}`,
    one.longest_freeze_ms === null ? "-" : `${one.longest_freeze_ms}`,
    one.test,
  ]);
  const tests = injected.size;
  const worst = freezes.length === 0 ? "-" : `${Math.max(...freezes)} ms`;
  return `${formatTable(["ROW", "RESULT", "FAULTS", "FREEZE MS", "TEST"], cells)}\n${tests} tests, ${total} faults injected, longest freeze ${worst}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
