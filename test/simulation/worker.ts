/**
 * Runs schedules, one after the other, and prints one JSON line about them: worker.ts JOB, a `Job` in JSON. With a
 * mutant only until what it must lead to was found.
 */
import { constants, setPriority } from "node:os";
import { type MutantName, mutants, splitBrain } from "./mutants.ts";
import { type Schedule, scheduleOf } from "./schedule.ts";
import { type SimulationResult, simulate } from "./simulate.ts";
import { Killed } from "./world/daemon-process.ts";
import type { Mutation } from "./world/mutation.ts";

export interface Job {
  /** The seeds from `first` on, or schedules as they are. */
  work: { first: number; count: number } | Schedule[];
  mutant: MutantName | null;
  /** Prints what happens, step by step. */
  traces: boolean;
}

export interface WorkerReport {
  schedules: number;
  /** Those that happened, by kind. */
  faults: Record<string, number>;
  events: number;
  /** Of migrations. */
  outcomes: Record<string, number>;
  /** The last few. */
  failures: { violations: string[]; schedule: Schedule }[];
  failed: number;
}

const maxFailures = 20;

const { work, mutant, traces }: Job = JSON.parse(process.argv[2] ?? "");
const mutation: Mutation = mutant === null ? {} : mutants[mutant];
// Tests that measure, or wait for an answer, run beside it.
setPriority(constants.priority.PRIORITY_LOW);
// Errors of ours are values here; where they were made costs more than all else about them.
if (!traces) Error.stackTraceLimit = 0;

let unhandled: string[] = [];
process.on("unhandledRejection", (reason) => {
  if (!isOfKilled(reason)) {
    unhandled.push(`unhandled: ${reason instanceof Error ? (reason.stack ?? reason) : reason}`);
  }
});

const report: WorkerReport = {
  schedules: 0,
  faults: {},
  events: 0,
  outcomes: {},
  failures: [],
  failed: 0,
};
for (const schedule of schedules()) {
  if (hasFound()) break;
  if (traces) process.stdout.write(`${JSON.stringify(schedule)}\n`);
  const result = await simulate(schedule, {
    mutation,
    ...(traces ? { trace: (text: string) => process.stdout.write(`${text}\n`) } : {}),
  });
  add({ ...result, violations: [...result.violations, ...unhandled] }, schedule);
  unhandled = [];
}
process.stdout.write(`${JSON.stringify(report)}\n`);

function* schedules(): Generator<Schedule> {
  if (Array.isArray(work)) {
    yield* work;
    return;
  }
  for (let seed = work.first; seed < work.first + work.count; seed += 1) {
    yield { ...scheduleOf(seed), ...mutation.schedule };
  }
}

function hasFound(): boolean {
  const wanted = mutation.leadsTo ?? splitBrain;
  const isWanted = ({ violations }: { violations: string[] }) =>
    violations.some((violation) => wanted.test(violation));
  return mutant !== null && !traces && report.failures.some(isWanted);
}

function add(result: SimulationResult, schedule: Schedule): void {
  report.schedules += 1;
  report.events += result.events;
  for (const fault of result.faults) report.faults[fault] = (report.faults[fault] ?? 0) + 1;
  for (const outcome of result.outcomes) {
    report.outcomes[outcome] = (report.outcomes[outcome] ?? 0) + 1;
  }
  if (result.violations.length === 0) return;
  report.failed += 1;
  if (report.failures.length === maxFailures) report.failures.shift();
  report.failures.push({ violations: result.violations, schedule });
}

function isOfKilled(reason: unknown): boolean {
  if (reason instanceof Killed) return true;
  return reason instanceof Error && reason.cause !== undefined && isOfKilled(reason.cause);
}
