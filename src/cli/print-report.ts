import type { MigrationReport } from "../migrator/report.ts";
import { type StreamSeries, throughputSince } from "../probe/series.ts";
import { exitCodeOf } from "./outcome.ts";
import type { Output } from "./output.ts";
import { renderReport } from "./render/report.ts";
import { terminalForm } from "./render/terminal.ts";

/**
 * Prints a migration's report as its command's result and sets the exit code by its outcome.
 * @param stream the download that the chart shows; null for no chart.
 * @param originMs the migration's start on the stream's clock.
 */
export async function printReport(
  report: MigrationReport,
  output: Output,
  stream: StreamSeries | null,
  originMs = 0,
): Promise<void> {
  output.result(report, () => describeReport(report, stream, originMs));
  process.exitCode = exitCodeOf(report);
}

export function describeReport(
  report: MigrationReport,
  stream: StreamSeries | null,
  originMs: number,
): string {
  return renderReport(report, {
    ...terminalForm(process.stdout.columns, process.env),
    throughput: stream === null ? null : throughputSince(stream, originMs),
  });
}
