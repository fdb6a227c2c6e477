import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type MutantName, mutants } from "./mutants.ts";
import type { Schedule } from "./schedule.ts";
import type { Job, WorkerReport } from "./worker.ts";
import type { Mutation } from "./world/mutation.ts";

export interface SimulationReport extends WorkerReport {
  elapsed_ms: number;
}

const worker = join(import.meta.dirname, "worker.ts");

/** Nearly all that a schedule makes is garbage with its end: it is to be collected seldom. */
const roomForYoung = ["--max-semi-space-size=64"];

/** Seeds that one process is given at a time. */
const shareOfOne = 10_000;

/** Runs the schedules of seeds from `seed` on in processes of their own, one for each processor. */
export async function runSeeds(seed: number, schedules: number): Promise<SimulationReport> {
  const startedMs = performance.now();
  const reports: WorkerReport[] = [];
  let next = seed;
  const end = seed + schedules;
  const runShares = async () => {
    while (next < end) {
      const first = next;
      next = Math.min(end, first + shareOfOne);
      const work = { first, count: next - first };
      reports.push(await runJob({ work, mutant: null, traces: false }));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, runShares));
  return { ...sumOf(reports), elapsed_ms: Math.round(performance.now() - startedMs) };
}

/** Runs seeds, from 1 on or where the mutant says, in one process until it is found. */
export function findMutant(mutant: MutantName, schedules: number): Promise<WorkerReport> {
  const { firstSeed: first = 1 }: Mutation = mutants[mutant];
  return runJob({ work: { first, count: schedules }, mutant, traces: false });
}

/** Runs schedules as they are. */
export function runStored(schedules: Schedule[]): Promise<WorkerReport> {
  return runJob({ work: schedules, mutant: null, traces: false });
}

/** @param onTrace is called for each line of a trace. */
export async function runJob(
  job: Job,
  onTrace: (line: string) => void = () => {},
): Promise<WorkerReport> {
  const child = spawn(process.execPath, [...roomForYoung, worker, JSON.stringify(job)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let last = "";
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (last !== "") onTrace(last);
    last = line;
  }
  const code = await ended;
  if (code !== 0) throw new Error(`a worker of the simulation ended with ${code}`);
  return JSON.parse(last);
}

function sumOf(reports: readonly WorkerReport[]): WorkerReport {
  const byKind = (of: "faults" | "outcomes") => {
    const counts: Record<string, number> = {};
    for (const [kind, count] of reports.flatMap((report) => Object.entries(report[of]))) {
      counts[kind] = (counts[kind] ?? 0) + count;
    }
    return counts;
  };
  const sum = (of: "schedules" | "events" | "failed") =>
    reports.reduce((total, report) => total + report[of], 0);
  return {
    schedules: sum("schedules"),
    faults: byKind("faults"),
    events: sum("events"),
    outcomes: byKind("outcomes"),
    failures: reports.flatMap(({ failures }) => failures),
    failed: sum("failed"),
  };
}
