import { print } from "../lab-moves.ts";
import { type Move, spread, type summaryOf } from "./records.ts";

const columns = [...spread.slice(0, 3), "carried", ...spread.slice(3)] as const;

/** A line of the table; the first with its heading. */
export function printMove(move: Move, isFirst: boolean): void {
  if (isFirst) printRow(["round", "flows", "move", ...columns.map(heading)]);
  const path = `${move.from.slice(-1)} to ${move.to.slice(-1)}`;
  printRow([`${move.round}`, `${move.flows}`, path, ...columns.map((name) => shown(move[name]))]);
}

/** Median, p95 and largest of each number of flows, and the ratios with their bounds. */
export function printSummary({ flows, ratios }: ReturnType<typeof summaryOf>): void {
  for (const figures of flows) {
    for (const row of ["median", "p95", "max"] as const) {
      const cells = columns.map((name) => (name === "carried" ? "" : shown(figures[name][row])));
      printRow([row, `${figures.flows}`, "", ...cells]);
    }
  }
  for (const { flows: count, to, blackout_ms, tcp_echo_outage_ms } of ratios) {
    const [blackout, outage] = [blackout_ms, tcp_echo_outage_ms].map(
      ({ of_medians, bounds_95 }) =>
        `${shown(of_medians)} (95 %: ${bounds_95?.map(shown).join(" to ") ?? "-"})`,
    );
    print(`${count} ÷ ${to} flows: blackout ${blackout}, echo outage ${outage}`);
  }
}

function heading(name: string): string {
  return name.replace("tcp_", "").replace("_ms", "").replaceAll("_", " ");
}

function shown(value: number | null): string {
  return value === null ? "-" : `${Math.round(value * 100) / 100}`;
}

function printRow(cells: readonly string[]): void {
  const widths = [8, 8, 8];
  print(cells.map((cell, at) => cell.padEnd(widths[at] ?? 0).padStart(at < 3 ? 0 : 14)).join(""));
}
