import { describeDrain } from "../../migrator/drain-words.ts";
import { describeFlows } from "../../migrator/flow-words.ts";
import type { MigrationReport } from "../../migrator/report.ts";
import { sessionResults } from "../../probe/results.ts";
import type { ThroughputSeries } from "../../probe/series.ts";
import { renderThroughputChart } from "./chart.ts";
import { duration, megabytes, milliseconds, outage } from "./figures.ts";
import { renderProbes } from "./probes.ts";
import { plainText, type TerminalForm } from "./terminal.ts";

export interface ReportOptions extends TerminalForm {
  /** Throughput around the move, with the migration's start at 0. */
  throughput?: ThroughputSeries | null;
}

const aroundMs = 1500;

/** A report for people: one line that says it all, the figures, and the chart when there is a series. */
export function renderReport(report: MigrationReport, options: ReportOptions): string {
  const parts = [summarizeReport(report, options), ...details(report), renderProbes(report)];
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

/** The echo's outage, since it is what a session sees, and fine; others where there is no echo. */
function outageOf({ probes }: MigrationReport): string[] {
  const { tcp_echo, http, tcp_stream, tcp_upload, packet } = probes;
  const ranked = {
    "tcp-echo": tcp_echo,
    packet,
    http,
    "tcp-stream": tcp_stream,
    "tcp-upload": tcp_upload,
  };
  for (const [name, result] of Object.entries(ranked)) {
    if (result === undefined || result.outage_ms === null) continue;
    return [`outage ${outage(result.outage_ms, result.floor_ms)} (${name})`];
  }
  return [];
}

function sessionsOf({ probes }: MigrationReport): string[] {
  const ran = sessionResults(probes);
  const sessions = ran.reduce((sum, one) => sum + one.sessions, 0);
  const broken = ran.reduce((sum, one) => sum + one.broken, 0);
  return sessions === 0 ? [] : [`${broken} of ${sessions} sessions broken`];
}

function details(report: MigrationReport): string[] {
  const { tunnel, flows, renumbered } = report;
  const lines: string[] = [];
  const facts = [`id ${report.id}`];
  if (tunnel !== null) facts.push(`tunnel ${tunnel.kind} (${tunnel.datapath}), MTU ${tunnel.mtu}`);
  if (report.transferred_bytes !== null) {
    facts.push(`${megabytes(report.transferred_bytes)} transferred`);
  }
  if (report.strategy !== undefined) facts.push(`strategy ${report.strategy}`);
  if (renumbered !== undefined)
    facts.push(`new flows use ${renumbered.to}, not ${renumbered.from}`);
  if (flows !== null) facts.push(describeFlows(flows));
  if (report.drain !== undefined) facts.push(`redirect ${describeDrain(report.drain)}`);
  if (report.budget_ms !== null) facts.push(`budget ${report.budget_ms} ms ${verdict(report)}`);
  lines.push(`  ${facts.join("; ")}`, ...clocks(report), ...drops(report), ...gates(report));
  return [lines.join("\n")];
}

function clocks({ to, clock_offset_ms: offset, clock_error_ms: error }: MigrationReport): string[] {
  if (offset === null || error === null) return [];
  return [
    `  clock of ${to}: ${offset < 0 ? "" : "+"}${milliseconds(offset)} (± ${milliseconds(error)})`,
  ];
}

function drops({ to, packets_dropped: dropped }: MigrationReport): string[] {
  if (dropped === null || dropped === 0) return [];
  return [`  warning: ${dropped} packets for the guest found its queue on ${to} full and are lost`];
}

function gates({ gates = [] }: MigrationReport): string[] {
  return gates.map(({ gate, point, decision, answered, reason, waited_ms }) => {
    const by = answered ? "" : " by default";
    const why = reason === null ? "" : `: ${reason}`;
    return `  gate ${gate} at ${point}: ${decision}${by} after ${duration(waited_ms)}${why}`;
  });
}

function verdict({ within_budget }: MigrationReport): string {
  if (within_budget === null) return "not judged";
  return within_budget ? "kept" : "exceeded";
}
