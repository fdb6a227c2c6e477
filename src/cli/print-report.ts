import type { MigrationReport } from "../migrator/report.ts";
import { type StreamSeries, throughputSince } from "../probe/series.ts";
import { exitCodeOf } from "./outcome.ts";
import type { Output } from "./output.ts";
import { renderReport } from "./render/report.ts";
import { terminalForm } from "./render/terminal.ts";

/** A download that ran across the move, and the move's start on its clock. */
export interface ChartSource {
  stream: StreamSeries;
  originMs: number;
}

/** Prints a migration's report as its command's result and sets the exit code by its outcome. */
export function printReport(
  report: MigrationReport,
  output: Output,
  chart: ChartSource | null = null,
): void {
  output.result(report, () => describeReport(report, chart));
  process.exitCode = exitCodeOf(report);
}

/** The report for people, with a chart where there is a download. */
export function describeReport(report: MigrationReport, chart: ChartSource | null = null): string {
  const throughput = chart === null ? null : throughputSince(chart.stream, chart.originMs);
  return renderReport(report, { ...terminalForm(process.stdout.columns, process.env), throughput });
}
