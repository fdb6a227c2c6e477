import { print } from "../lab-moves.ts";
import { counted, type Move, type Ratio, spread, type summaryOf } from "./records.ts";

const columns = [...spread, ...counted];

/** A line of the table; the first with its heading. */
export function printMove(move: Move, isFirst: boolean): void {
  if (isFirst) printRow(["round", "method", "move", ...columns.map(heading)]);
  const { round, method, from, to } = move;
  const path = `${from.slice(-1)} to ${to.slice(-1)}`;
  printRow([`${round}`, method, path, ...columns.map((name) => shown(move[name]))]);
}

/** Median, p95 and largest of each method, and the ratios with their bounds. */
export function printSummary({ methods, ratios }: ReturnType<typeof summaryOf>): void {
  for (const [method, figures] of Object.entries(methods)) {
    for (const row of ["median", "p95", "max"] as const) {
      const counts = counted.map((name) => (row === "median" ? shown(figures[name]) : ""));
      printRow([row, method, "", ...spread.map((name) => shown(figures[name][row])), ...counts]);
    }
  }
  for (const [pair, { outage, blackout }] of Object.entries(ratios)) {
    print(`${pair.replace("/", " ÷ ")}: echo outage ${ratio(outage)}, blackout ${ratio(blackout)}`);
  }
}

function ratio({ of_medians, bounds_95 }: Ratio): string {
  return `${shown(of_medians)} (95 %: ${bounds_95?.map(shown).join(" to ") ?? "-"})`;
}

function heading(name: string): string {
  return name.replace("tcp_", "").replace("_ms", "").replaceAll("_", " ");
}

function shown(value: number | null): string {
  return value === null ? "-" : `${Math.round(value * 100) / 100}`;
}

function printRow(cells: readonly string[]): void {
  const widths = [8, 9, 8];
  print(cells.map((cell, at) => cell.padEnd(widths[at] ?? 0).padStart(at < 3 ? 0 : 17)).join(""));
}
