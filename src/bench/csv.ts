import { figureNames } from "./figures.ts";
import { moveFactNames } from "./move-facts.ts";
import type { CellRecord } from "./records.ts";

const header = [
  ...["cell", "memory_mib", "dirty_mbytes_per_second", "tunnel", "run", "round", "strategy"],
  ...["took_ms", "failed", ...figureNames],
  ...["link_mbps", "traffic", "policy", "post_copy", ...moveFactNames],
];

/** One line a run (RFC 4180); what was not measured is empty. */
export function runsAsCsv(cells: readonly CellRecord[]): string {
  const lines = cells.flatMap((cell, index) =>
    cell.runs.map((run) => [
      ...[index + 1, cell.memory_mib, cell.dirty_mbytes_per_second, cell.tunnel],
      ...[run.run, run.round, run.strategy, run.took_ms, run.failed],
      ...figureNames.map((name) => run.figures?.[name] ?? null),
      ...[
        cell.link_mbps ?? null,
        cell.traffic ?? null,
        cell.policy ?? null,
        cell.post_copy ?? null,
      ],
      ...moveFactNames.map((name) => run.move?.[name] ?? null),
    ]),
  );
  return [header, ...lines].map((line) => `${line.map(csvField).join(",")}\r\n`).join("");
}

/**
 * A field that spreadsheet programs read back as it was: quoted where it has to be, and text that they would take
 * for a formula is led by an apostrophe.
 */
export function csvField(value: string | number | boolean | null): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
