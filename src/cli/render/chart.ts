import type { ThroughputSeries } from "../../probe/series.ts";
import { duration, throughput } from "./figures.ts";
import type { TerminalForm } from "./terminal.ts";

/** A moment that the chart points at. */
export interface ChartMark {
  label: string;
  /** On the series' time axis. */
  atMs: number;
}

export interface ChartOptions extends TerminalForm {
  /** Rows of the plot. */
  height?: number;
  /** What of the series is shown; all of it without. */
  fromMs?: number;
  toMs?: number;
}

const markSigns = "123456789abcdefghijklmnopqrstuvwxyz";
const markRows = 4;
const unicodeBlocks = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const asciiBlocks = [" ", ".", ":", "|", "#"];

/**
 * Throughput over time as blocks, with signs below the time axis where the marks are and a legend.
 * Empty when there is nothing to show.
 */
export function renderThroughputChart(
  series: ThroughputSeries,
  marks: readonly ChartMark[],
  options: ChartOptions,
): string {
  const plot = cut(series, options.fromMs, options.toMs);
  if (plot.bytes.length === 0) return "";
  const labelWidth = 11;
  const columns = Math.min(
    plot.bytes.length,
    Math.max(10, Math.min(options.width, 240) - labelWidth - 2),
  );
  const values = resample(plot, columns);
  const top = values.reduce((highest, value) => Math.max(highest, value), 0);
  const height = Math.max(1, Math.min(options.height ?? 6, 40));
  const bar = options.unicode ? "│" : "|";
  const rows = blockRows(values, top, height, options.unicode ? unicodeBlocks : asciiBlocks);
  const labels = rows.map((_, row) => (row === 0 ? throughput(top) : ""));
  const shown = marks.filter(({ atMs }) => atMs >= plot.startMs && atMs <= endOf(plot));
  return [
    ...rows.map((row, index) => `${(labels[index] ?? "").padStart(labelWidth)} ${bar}${row}`),
    `${"0".padStart(labelWidth)} ${axis(columns, options.unicode)}`,
    ...timeLabels(plot, columns, labelWidth),
    ...signRows(shown, plot, columns).map((row) => `${" ".repeat(labelWidth + 2)}${row}`),
    ...legend(shown, options.width, labelWidth),
  ]
    .map((line) => line.trimEnd())
    .join("\n");
}

function cut(series: ThroughputSeries, fromMs = -Infinity, toMs = Infinity): ThroughputSeries {
  const { startMs, bucketMs, bytes } = series;
  const first = Math.max(0, Math.min(bytes.length, Math.floor((fromMs - startMs) / bucketMs)));
  const end = Math.max(first, Math.min(bytes.length, Math.ceil((toMs - startMs) / bucketMs)));
  return { startMs: startMs + first * bucketMs, bucketMs, bytes: bytes.slice(first, end) };
}

/** Mean throughput of each column in Mbit/s. */
function resample({ bytes, bucketMs }: ThroughputSeries, columns: number): number[] {
  return Array.from({ length: columns }, (_, column) => {
    const first = Math.floor((column * bytes.length) / columns);
    const end = Math.floor(((column + 1) * bytes.length) / columns);
    const sum = bytes.slice(first, end).reduce((total, count) => total + count, 0);
    return (sum * 8) / ((end - first) * bucketMs * 1000);
  });
}

/** The plot from its top row down; something that is not nothing shows at least the lowest block. */
function blockRows(
  values: readonly number[],
  top: number,
  height: number,
  blocks: readonly string[],
): string[] {
  const steps = blocks.length - 1;
  const levels = values.map((value) =>
    value <= 0 || top <= 0 ? 0 : Math.max(1, Math.round((value / top) * height * steps)),
  );
  return Array.from({ length: height }, (_, row) => {
    const below = (height - 1 - row) * steps;
    return levels
      .map((level) => blocks[Math.max(0, Math.min(steps, level - below))] ?? " ")
      .join("");
  });
}

function axis(columns: number, unicode: boolean): string {
  return unicode ? `└${"─".repeat(columns)}` : `+${"-".repeat(columns)}`;
}

function timeLabels(plot: ThroughputSeries, columns: number, labelWidth: number): string[] {
  const first = signedDuration(plot.startMs);
  const last = signedDuration(endOf(plot));
  const space = columns - first.length - last.length;
  return [`${" ".repeat(labelWidth + 2)}${first}${space > 0 ? " ".repeat(space) + last : ""}`];
}

/** One sign a mark at its column; marks that fall on the same column stand below each other. */
function signRows(marks: readonly ChartMark[], plot: ThroughputSeries, columns: number): string[] {
  const rows: string[][] = [];
  for (const [index, { atMs }] of marks.entries()) {
    const share = (atMs - plot.startMs) / (endOf(plot) - plot.startMs);
    const column = Math.max(0, Math.min(columns - 1, Math.floor(share * columns)));
    const row = rows.findIndex((signs) => signs[column] === " ");
    if (row >= 0) (rows[row] as string[])[column] = signOf(index);
    else if (rows.length < markRows) {
      const signs = Array<string>(columns).fill(" ");
      signs[column] = signOf(index);
      rows.push(signs);
    }
  }
  return rows.map((signs) => signs.join(""));
}

function legend(marks: readonly ChartMark[], width: number, labelWidth: number): string[] {
  const indent = " ".repeat(labelWidth + 2);
  const lines: string[] = [];
  let line = "";
  for (const [index, { label, atMs }] of marks.entries()) {
    const item = `${signOf(index)} ${label} ${signedDuration(atMs)}`;
    if (line !== "" && indent.length + line.length + 2 + item.length > width) {
      lines.push(indent + line);
      line = "";
    }
    line += line === "" ? item : `  ${item}`;
  }
  return line === "" ? lines : [...lines, indent + line];
}

function signOf(index: number): string {
  return markSigns[index] ?? "+";
}

function signedDuration(ms: number): string {
  return ms < 0 ? `-${duration(-ms)}` : duration(ms);
}

function endOf({ startMs, bucketMs, bytes }: ThroughputSeries): number {
  return startMs + bytes.length * bucketMs;
}
