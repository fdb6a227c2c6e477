import type { RunFigures } from "../../bench/figures.ts";
import type { CellRecord, RunRecord } from "../../bench/records.ts";
import { summarizeCell } from "../../bench/summary.ts";
import { describeCell, ratioTable, strategyTable } from "../../bench/tables.ts";
import { formatTable } from "../table.ts";

/** The tables of all cells. */
export function describeSummary(cells: readonly CellRecord[]): string {
  return cells
    .map((cell) => {
      const summary = summarizeCell(cell);
      const parts = [describeCell(cell), formatTable(...strategyTable(summary))];
      if (Object.keys(summary.ratios).length > 0) parts.push(formatTable(...ratioTable(summary)));
      return `${parts[0]} (times: median / p95 / max)\n\n${parts.slice(1).join("\n\n")}`;
    })
    .join("\n\n");
}

/** One run in a line. */
export function describeRun({ figures, failed }: RunRecord): string {
  if (figures === null) return `failed: ${failed}`;
  const parts = shown.flatMap(([name, words, unit]) => {
    const value = figures[name];
    return value === null ? [] : [`${words} ${value}${unit}`];
  });
  return parts.join(", ");
}

const shown = [
  ["tcp_echo_outage_ms", "echo", " ms"],
  ["tcp_stream_outage_ms", "stream", " ms"],
  ["packet_outage_ms", "packet", " ms"],
  ["blackout_ms", "blackout", " ms"],
  ["control_ms", "control", " ms"],
  ["packets_lost", "lost", ""],
  ["packets_reordered", "reordered", ""],
  ["rto", "RTO", ""],
  ["sessions_broken", "broken", ""],
] as const satisfies readonly (readonly [keyof RunFigures, string, string])[];
