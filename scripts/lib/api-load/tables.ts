import type { Move, summaryOf } from "./records.ts";

const columns = [
  "blackout_ms",
  "control_ms",
  "echo_outage_ms",
  "packets_lost",
  "daemon_peak_mib",
] as const;

/** A line of the table; the first with its heading. */
export function printMove(move: Move, number: number): void {
  if (number === 1) print(["move", "load", ...columns]);
  print([`${number}`, move.load, ...columns.map((name) => shown(move[name]))]);
}

export function printSummary({ medians, ratios, api }: ReturnType<typeof summaryOf>): void {
  for (const [load, figures] of Object.entries(medians)) {
    print(["median", load, ...columns.map((name) => shown(figures[name]))]);
  }
  for (const [pair, { blackout, blackout_95, control, echo_outage }] of Object.entries(ratios)) {
    print(["ratio", pair, shown(blackout), shown(control), shown(echo_outage)]);
    const bounds = blackout_95?.map(shown).join(" to ") ?? "-";
    process.stdout.write(`the blackout's ratio lies, with 95 %, in ${bounds}\n`);
  }
  const { requests, p50_ms, p99_ms, max_ms, outcomes } = api;
  const times = [p50_ms, p99_ms, max_ms].map(shown).join(" / ");
  process.stdout.write(
    `API: ${requests} requests, p50 / p99 / max ${times} ms, answers ${JSON.stringify(outcomes)}\n`,
  );
}

function shown(value: number | null): string {
  return value === null ? "-" : `${Math.round(value * 100) / 100}`;
}

function print(cells: readonly string[]): void {
  const line = cells.map((cell, at) => (at < 2 ? cell.padEnd(20) : cell.padStart(16))).join("");
  process.stdout.write(`${line}\n`);
}
