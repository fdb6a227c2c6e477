/**
 * Runs simulated schedules on all processors and prints the result.
 * usage: simulate.ts [--schedules N] [--seed S] [--file SCHEDULE] [--mutant NAME] [--json] [--trace]; see scripts/simulate.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { describeReport } from "../../test/simulation/describe-report.ts";
import { isMutant, mutants } from "../../test/simulation/mutants.ts";
import { runJob, runSeeds, type SimulationReport } from "../../test/simulation/run-schedules.ts";

const { values } = parseArgs({
  options: {
    schedules: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    file: { type: "string" },
    mutant: { type: "string" },
    json: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
  },
});
const schedules = wholeNumber("schedules", values.schedules);
const seed = wholeNumber("seed", values.seed);
const report = await run();
console.log(values.json ? JSON.stringify({ seed, ...report }) : describeReport(report));
process.exitCode = report.failed === 0 ? 0 : 1;

/** On one processor where the order or the end matters. */
async function run(): Promise<SimulationReport> {
  const { mutant = null, file, trace } = values;
  if (mutant !== null && !isMutant(mutant)) {
    return fail(`--mutant takes ${Object.keys(mutants).join(", ")}`);
  }
  if (mutant === null && file === undefined && !trace) return await runSeeds(seed, schedules);
  const work = file === undefined ? { first: seed, count: schedules } : [stored(file)];
  const startedMs = performance.now();
  const done = await runJob({ work, mutant, traces: trace }, (line) => console.log(line));
  return { ...done, elapsed_ms: Math.round(performance.now() - startedMs) };
}

/** A schedule, or a regression with one in it. */
function stored(path: string) {
  const content = JSON.parse(readFileSync(path, "utf8"));
  return content.schedule ?? content;
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  return fail(`--${name} takes a whole number, not ${text}`);
}

function fail(message: string): never {
  console.error(`error: ${message}`);
  process.exit(2);
}
