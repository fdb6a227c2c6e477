import type { Statistics } from "../../../src/bench/statistics.ts";
import { print } from "../lab-moves.ts";
import type { Move, summaryOf } from "./records.ts";

const columns = [
  ...["tcp_echo_outage_ms", "tcp_echo_floor_ms", "packet_outage_ms", "blackout_ms", "total_ms"],
  ...["packets_lost", "rto", "sessions_broken"],
] as const;

/** A line of the table; the first with its heading. */
export function printMove(move: Move, isFirst: boolean): void {
  const heading = (name: string) =>
    name.replace("tcp_", "").replace("_ms", "").replaceAll("_", " ");
  if (isFirst) printRow(["round", "method", "move", ...columns.map(heading)]);
  const { round, method, from, to } = move;
  const path = `${from.slice(-1)} to ${to.slice(-1)}`;
  const cells = columns.map((name) => shown(move[name as keyof Move] as number | null));
  printRow([`${round}`, method, path, ...cells]);
}

/** Median / p95 / max of each method, and the ratios with their bounds. */
export function printSummary({ methods, ratios }: ReturnType<typeof summaryOf>): void {
  for (const [method, figures] of Object.entries(methods)) {
    const of = (name: string) => figures[name as keyof typeof figures];
    for (const row of ["median", "p95", "max"] as const) {
      const cells = columns.map((name) => {
        const value = of(name);
        if (typeof value === "object") return shown((value as Statistics)[row]);
        return row === "median" ? shown(value) : "";
      });
      printRow([row, method, "", ...cells]);
    }
  }
  for (const [pair, { outage, outage_95 }] of Object.entries(ratios)) {
    const bounds = outage_95 === null ? "" : ` (95 %: ${outage_95.map(shown).join(" to ")})`;
    print(`echo outage ${pair}: ${shown(outage)}${bounds}`);
  }
}

function shown(value: number | null): string {
  return value === null ? "-" : `${Math.round(value * 100) / 100}`;
}

function printRow(cells: readonly string[]): void {
  const widths = [8, 9, 8];
  print(cells.map((cell, at) => cell.padEnd(widths[at] ?? 0).padStart(at < 3 ? 0 : 17)).join(""));
}
