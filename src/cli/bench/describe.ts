import { busyTable, describeAll, isAboutBusyGuests } from "../../bench/busy-table.ts";
import type { RunFigures } from "../../bench/figures.ts";
import { describeMachine, type MachineFacts } from "../../bench/machine.ts";
import type { CellRecord, RunRecord } from "../../bench/records.ts";
import { summarizeCell } from "../../bench/summary.ts";
import { describeCell, ratioTable, strategyTable } from "../../bench/tables.ts";
import { formatTable } from "../table.ts";

/** The tables of all cells; of busy guests one for all, unless there is something to compare within cells. */
export function describeSummary(cells: readonly CellRecord[], machine: MachineFacts): string {
  const parts = isAboutBusyGuests(cells) ? [describeBusy(cells, machine)] : [];
  const compared =
    parts.length === 0 ? cells : cells.filter(({ strategies }) => strategies.length > 1);
  const measured = compared.filter(({ runs }) => runs.length > 0);
  return [...parts, ...measured.map(describeStrategies)].join("\n\n");
}

function describeBusy(cells: readonly CellRecord[], machine: MachineFacts): string {
  const note = `${describeMachine(machine)}; figures: median (range)`;
  const table = formatTable(...busyTable(cells));
  return [`${note}\n\n${table}\n`, ...describeAll(cells)].join("\n");
}

function describeStrategies(cell: CellRecord): string {
  const summary = summarizeCell(cell);
  const tables = [formatTable(...strategyTable(summary))];
  if (Object.keys(summary.ratios).length > 0) tables.push(formatTable(...ratioTable(summary)));
  return `${describeCell(cell)} (times: median / p95 / max)\n\n${tables.join("\n\n")}`;
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
