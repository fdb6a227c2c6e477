import type { SimulationReport } from "./run-schedules.ts";

/** What ran and what was found, with the command that replays each failure. */
export function describeReport(report: SimulationReport): string {
  const seconds = (report.elapsed_ms / 1000).toFixed(1);
  return [
    `${report.schedules} schedules, ${report.events} events in ${seconds} s`,
    `faults: ${list(report.faults)}`,
    `migrations: ${list(report.outcomes)}`,
    ...report.failures.map(
      ({ violations, schedule }) =>
        `seed ${schedule.seed}: ${violations.join("; ")}\n  ./scripts/simulate --schedules 1 --trace --seed ${schedule.seed}`,
    ),
    report.failed === 0 ? "all passed" : `${report.failed} failed`,
  ].join("\n");
}

function list(counts: Record<string, number>): string {
  const sorted = Object.entries(counts).toSorted(([, one], [, other]) => other - one);
  return sorted.map(([kind, count]) => `${count} ${kind}`).join(", ");
}
