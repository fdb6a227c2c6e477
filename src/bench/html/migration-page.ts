import { describeDrain } from "../../migrator/drain-words.ts";
import { describeFlows } from "../../migrator/flow-words.ts";
import type { MigrationReport } from "../../migrator/report.ts";
import type { ThroughputTimeline } from "../../probe/throughput-timeline.ts";
import { heading, htmlDocument, htmlFacts, htmlTable } from "./document.ts";
import { throughputPlots } from "./throughput-plot.ts";

/** The page of one migration. Pure. @param throughput null when no stream ran. */
export function migrationPage(
  report: MigrationReport,
  throughput: ThroughputTimeline | null,
): string {
  const title = `${report.guest}: ${report.from} to ${report.to}`;
  return htmlDocument(title, [
    htmlFacts(factsOf(report)),
    throughput === null
      ? "<p>No stream was measured: there is no throughput to draw.</p>"
      : `${heading(2, "Throughput")}\n${throughputPlots({ title, throughput, marks: report.timeline })}`,
    ...probeTable(report),
    heading(2, "Timeline"),
    htmlTable(
      ["phase", "at ms", "host"],
      report.timeline.map(({ phase, at_ms, host }) => [phase, String(at_ms), host]),
    ),
  ]);
}

function factsOf(report: MigrationReport): [string, string][] {
  const { tunnel, flows, guest_clock_step_ms: step } = report;
  const facts: [string, string][] = [
    ["migration", report.id],
    ["outcome", report.outcome],
    ["blackout", milliseconds(report.blackout_ms)],
    ["total", milliseconds(report.total_ms)],
  ];
  if (tunnel !== null) {
    facts.push(["tunnel", `${tunnel.kind} (${tunnel.datapath}), MTU ${tunnel.mtu}`]);
  }
  if (report.transferred_bytes !== null) {
    facts.push(["transferred", `${(report.transferred_bytes / 1e6).toFixed(1)} MB`]);
  }
  if (step !== null) facts.push(["guest clock step", milliseconds(step)]);
  if (flows !== null) facts.push(["flows", describeFlows(flows)]);
  if (report.drain !== undefined) facts.push(["redirect", describeDrain(report.drain)]);
  for (const { gate, point, decision, answered, reason } of report.gates ?? []) {
    const why = reason === null ? "" : `: ${reason}`;
    facts.push([`gate ${gate} at ${point}`, `${decision}${answered ? "" : " by default"}${why}`]);
  }
  if (report.budget_ms !== null) {
    const verdict = { true: "kept", false: "exceeded", null: "not judged" };
    facts.push(["budget", `${report.budget_ms} ms, ${verdict[`${report.within_budget}`]}`]);
  }
  return facts;
}

/** A column a probe, a line a figure; figures that no probe has are left out. */
function probeTable({ probes }: MigrationReport): string[] {
  const results = Object.entries(probes).map(
    ([name, result]) => [name.replace("_", "-"), Object.entries(result)] as const,
  );
  if (results.length === 0) return [];
  const figures = [...new Set(results.flatMap(([, entries]) => entries.map(([name]) => name)))];
  const rows = figures.map((figure) => [
    figure.replaceAll("_", " "),
    ...results.map(([, entries]) => {
      const value: unknown = entries.find(([name]) => name === figure)?.[1];
      return value === null || value === undefined ? "-" : String(value);
    }),
  ]);
  return [heading(2, "Probes"), htmlTable(["", ...results.map(([name]) => name)], rows)];
}

function milliseconds(ms: number | null): string {
  return ms === null ? "not measured" : `${ms} ms`;
}
