import type { MigrationReport } from "../../migrator/report.ts";
import type { ThroughputSeries } from "../../probe/series.ts";
import { renderThroughputChart } from "./chart.ts";
import { duration, megabytes, milliseconds, outage, throughput } from "./figures.ts";
import { plainText, type TerminalForm } from "./terminal.ts";

export interface ReportOptions extends TerminalForm {
  /** Throughput around the move, with the migration's start at 0. */
  throughput?: ThroughputSeries | null;
}

const aroundMs = 1500;

/** A report for people: one line that says it all, the figures, and the chart when there is a series. */
export function renderReport(report: MigrationReport, options: ReportOptions): string {
  const parts = [summarizeReport(report, options), ...details(report), probeTable(report)];
  const series = options.throughput ?? null;
  if (series !== null) {
    const endMs = report.timeline.reduce((last, { at_ms }) => Math.max(last, at_ms), 0);
    const marks = report.timeline.map(({ phase, at_ms }) => ({ label: phase, atMs: at_ms }));
    const range = { fromMs: -aroundMs, toMs: endMs + aroundMs };
    parts.push(renderThroughputChart(series, marks, { ...options, ...range }));
  }
  return plainText(parts.filter((part) => part !== "").join("\n\n"), options);
}

/** The outcome in one line. */
export function summarizeReport(report: MigrationReport, form: TerminalForm): string {
  const way = `${report.guest} ${verbs[report.outcome]} ${report.from} → ${report.to}`;
  const figures = [`${outcomeWords(report)} ${duration(report.total_ms)}`];
  if (report.blackout_ms !== null) figures.push(`blackout ${milliseconds(report.blackout_ms)}`);
  figures.push(...outageOf(report), ...sessionsOf(report));
  return plainText(`${way}: ${figures.join(", ")}`, form);
}

const verbs: Record<MigrationReport["outcome"], string> = {
  completed: "moved",
  "rolled-back": "did not move",
  cancelled: "did not move",
  "in-doubt": "is in doubt",
  "guest-lost": "was lost",
};

function outcomeWords({ outcome }: MigrationReport): string {
  return outcome === "completed" ? "completed in" : `${outcome} after`;
}

/** The echo's outage, since it is the finer measure; the stream's where there is no other. */
function outageOf({ probes }: MigrationReport): string[] {
  const { tcp_echo: echo, tcp_stream: stream } = probes;
  if (echo !== undefined && echo.outage_ms !== null) {
    return [`outage ${outage(echo.outage_ms, echo.floor_ms)} (tcp-echo)`];
  }
  if (stream !== undefined && stream.outage_ms !== null) {
    return [`outage ${outage(stream.outage_ms, stream.floor_ms)} (tcp-stream)`];
  }
  return [];
}

function sessionsOf({ probes }: MigrationReport): string[] {
  const ran = [probes.tcp_echo, probes.tcp_stream].filter((one) => one !== undefined);
  const sessions = ran.reduce((sum, one) => sum + one.sessions, 0);
  const broken = ran.reduce((sum, one) => sum + one.broken, 0);
  return sessions === 0 ? [] : [`${broken} of ${sessions} sessions broken`];
}

function details(report: MigrationReport): string[] {
  const { tunnel, flows } = report;
  const lines: string[] = [];
  const facts = [`id ${report.id}`];
  if (tunnel !== null) facts.push(`tunnel ${tunnel.kind} (${tunnel.datapath}), MTU ${tunnel.mtu}`);
  if (report.transferred_bytes !== null) {
    facts.push(`${megabytes(report.transferred_bytes)} transferred`);
  }
  if (flows !== null) facts.push(`${flows.survived} of ${flows.established} flows survived`);
  if (report.budget_ms !== null) facts.push(`budget ${report.budget_ms} ms ${verdict(report)}`);
  lines.push(`  ${facts.join("; ")}`);
  return [lines.join("\n")];
}

function verdict({ within_budget }: MigrationReport): string {
  if (within_budget === null) return "not judged";
  return within_budget ? "kept" : "exceeded";
}

function probeTable({ probes }: MigrationReport): string {
  const { tcp_echo: echo, tcp_stream: stream } = probes;
  const rows: string[][] = [];
  if (echo !== undefined) rows.push(["tcp-echo", ...sharedCells(echo), "", "", ""]);
  if (stream !== undefined) {
    const { before_mbps, after_mbps, recovery_ms } = stream;
    const cells = [throughput(before_mbps), throughput(after_mbps), milliseconds(recovery_ms)];
    rows.push(["tcp-stream", ...sharedCells(stream), ...cells]);
  }
  if (rows.length === 0) return "";
  return alignColumns([
    ["probe", "outage", "floor", "broken", "before", "after", "recovery"],
    ...rows,
  ]);
}

function sharedCells(result: NonNullable<MigrationReport["probes"]["tcp_echo"]>): string[] {
  const { outage_ms, floor_ms, broken, sessions } = result;
  return [outage(outage_ms, floor_ms), milliseconds(floor_ms), `${broken} of ${sessions}`];
}

function alignColumns(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: string[]) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ");
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join("\n");
}
