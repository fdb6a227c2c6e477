import { describeMachine, type MachineFacts } from "./machine.ts";
import type { MoveSummary } from "./move-summary.ts";
import { type Cell, type CellRecord, dirtyRatioOf } from "./records.ts";
import type { Spread } from "./statistics.ts";
import { summarizeCell, summarizeCells } from "./summary.ts";
import type { Table } from "./tables.ts";

/** Whether cells differ in, or are told by, what makes a guest hard to move. */
export function isAboutBusyGuests(cells: readonly Cell[]): boolean {
  return cells.some(
    ({ link_mbps, traffic, policy, post_copy }) =>
      link_mbps !== undefined ||
      traffic !== undefined ||
      policy !== undefined ||
      post_copy !== undefined,
  );
}

/** A line a cell: median, and the range where it has one. Of a cell that was not measured the figures are empty. */
export function busyTable(cells: readonly CellRecord[]): Table {
  return [header, cells.map((cell) => [...placeOf(cell), ...figuresOf(cell)])];
}

/** The table in Markdown, with the machine that it is of. */
export function busyPage(cells: readonly CellRecord[], machine: MachineFacts): string {
  const [titles, rows] = busyTable(cells);
  const line = (fields: readonly string[]) => `| ${fields.join(" | ")} |`;
  const table = [line(titles), line(titles.map(() => "---")), ...rows.map(line)].join("\n");
  const head = `${describeMachine(machine)}\n\nFigures: median (range).`;
  return `${[head, table, ...describeAll(cells).map((text) => `- ${text}`)].join("\n\n")}\n`;
}

/** Sentences on all cells: how many blackouts kept to their limit, and whether memory was right after the moves. */
export function describeAll(cells: readonly CellRecord[]): string[] {
  const { within_limit, corrupt_pages } = summarizeCells(cells);
  const { within, of, share } = within_limit;
  const percent = Math.round((share ?? 0) * 1000) / 10;
  const kept = `blackout within its limit: ${within} of ${of} completed moves (${percent} %)`;
  const wrong = `pages that did not hold what the guest had written: ${corrupt_pages}`;
  return [...(share === null ? [] : [kept]), ...(corrupt_pages === null ? [] : [wrong])];
}

const header = [
  ...["MiB", "dirtying ÷ link", "traffic", "policy", "post-copy", "outcomes", "blackout ms"],
  ...["limit ms", "within", "echo outage ms", "whole move s", "sent MiB", "passes"],
  ...["dirtied Mbit/s", "throttled %"],
];

function placeOf(cell: Cell): string[] {
  const { memory_mib, dirty_mbytes_per_second: dirty, traffic, policy, post_copy } = cell;
  const ratio = dirtyRatioOf(cell)?.toString() ?? (dirty === null ? "" : `${dirty} MB/s`);
  const postCopy = post_copy === undefined ? "" : post_copy ? "yes" : "no";
  return [String(memory_mib), ratio, traffic ?? "", policy ?? "", postCopy];
}

function figuresOf(cell: CellRecord): string[] {
  if (cell.runs.length === 0) return header.slice(5).map(() => "");
  const { moves } = summarizeCell(cell);
  const { within, of } = moves.within_limit;
  return [
    outcomesOf(moves),
    spread(moves.blackout_ms, 1, 1),
    spread(moves.blackout_limit_ms, 1, 0),
    of === 0 ? "" : `${within} of ${of}`,
    spread(moves.tcp_echo_outage_ms, 1, 1),
    spread(moves.lasted_ms, 1000, 1),
    spread(moves.transferred_bytes, 1024 * 1024, 0),
    spread(moves.passes, 1, 0),
    spread(moves.dirty_mbps, 1, 0),
    spread(moves.throttled_percent, 1, 0),
  ];
}

function outcomesOf({ outcomes }: MoveSummary): string {
  const all = Object.entries(outcomes);
  const [only] = all;
  if (all.length === 1 && only?.[1] === 1) return only[0];
  return all.map(([outcome, count]) => `${count} ${outcome}`).join(", ");
}

/** `median (min to max)` in units of so many of the figure's. */
function spread({ median, min, max }: Spread, unit: number, digits: number): string {
  if (median === null || min === null || max === null) return "";
  const text = (value: number) => (value / unit).toFixed(digits);
  return min === max ? text(median) : `${text(median)} (${text(min)} to ${text(max)})`;
}
