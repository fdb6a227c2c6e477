import { type Cell, dirtyRatioOf } from "./records.ts";
import type { Statistics } from "./statistics.ts";
import type { Summary } from "./summary.ts";

export type Table = [header: string[], rows: string[][]];

/** What a cell is, in words. */
export function describeCell(cell: Cell): string {
  const { memory_mib, dirty_mbytes_per_second, tunnel, link_mbps, traffic, policy, post_copy } =
    cell;
  const ratio = dirtyRatioOf(cell);
  const dirty = dirty_mbytes_per_second === null ? [] : [`writes ${dirty_mbytes_per_second} MB/s`];
  const times = ratio === null ? "" : ` (${ratio} of it)`;
  const link = link_mbps === undefined ? [] : [`link ${link_mbps} Mbit/s${times}`];
  const chosen = [
    ...(traffic === undefined ? [] : [`traffic ${traffic}`]),
    ...(policy === undefined ? [] : [`policy ${policy}`]),
    ...(post_copy === undefined ? [] : [`post-copy ${post_copy ? "yes" : "no"}`]),
  ];
  return [`Guest of ${memory_mib} MiB`, ...dirty, ...link, `tunnel ${tunnel}`, ...chosen].join(
    ", ",
  );
}

/** A line a strategy; times as median / 95th percentile / largest, in milliseconds. Text, not escaped. */
export function strategyTable({ strategies }: Summary): Table {
  const rows = Object.entries(strategies).map(([name, summary]) => [
    ...[name, `${summary.runs}${summary.failed === 0 ? "" : ` (${summary.failed} failed)`}`],
    times(summary.tcp_echo_outage_ms),
    times(summary.tcp_stream_outage_ms),
    times(summary.blackout_ms),
    times(summary.control_ms),
    ...[summary.packets_lost, summary.packets_reordered, summary.packets_duplicated].map(figure),
    ...[summary.rto, summary.sessions_broken].map(figure),
  ]);
  return [
    [
      ...["strategy", "runs", "echo outage ms", "stream outage ms", "blackout ms", "control ms"],
      ...["lost", "reordered", "duplicated", "RTO", "broken"],
    ],
    rows,
  ];
}

/** A line a ratio. */
export function ratioTable({ ratios }: Summary): Table {
  const rows = Object.entries(ratios).map(([name, ratio]) => [
    name,
    figure(ratio.tcp_echo),
    figure(ratio.tcp_stream),
  ]);
  return [["median ÷ median", "tcp-echo", "tcp-stream"], rows];
}

function times({ median, p95, max }: Statistics): string {
  return median === null ? "-" : [median, p95, max].map(figure).join(" / ");
}

function figure(value: number | null): string {
  return value === null ? "-" : String(value);
}
