import type { PolicyName } from "../migrator/migration-options.ts";
import type { TimelineEntry } from "../migrator/report.ts";
import type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
import type { RunFigures } from "./figures.ts";
import type { MoveFacts } from "./move-facts.ts";
import type { Load, Strategy, Traffic } from "./run.ts";

/** What a cell's guest is, and the links of the hosts it is moved between: a lab of its own is made for each. */
export interface CellGuest {
  memory_mib: number;
  /** Null for a guest that does not write memory on purpose. */
  dirty_mbytes_per_second: number | null;
  /** Of each host of the lab, each way; absent: as much as the machine can. */
  link_mbps?: number;
}

/** One combination of the matrix. What was not asked for is absent. */
export interface Cell extends CellGuest {
  tunnel: string;
  traffic?: Traffic;
  policy?: PolicyName;
  post_copy?: boolean;
}

/** What became of one run. */
export interface RunRecord {
  /** From 1, within its cell. */
  run: number;
  round: number;
  strategy: Strategy;
  took_ms: number;
  /** Why it did not complete; null when it did. */
  failed: string | null;
  /** Null when it failed. */
  figures: RunFigures | null;
  /** Also of a move that did not complete; null of controls, and of a run that came to no move. */
  move: MoveFacts | null;
  /** Milliseconds since the migration's start, as in `throughput`. */
  timeline: TimelineEntry[];
  throughput: ThroughputTimeline | null;
}

export interface CellRecord extends Cell {
  strategies: readonly Strategy[];
  load: readonly Load[];
  /** That the guest's writer has found wrong after the moves; absent where nothing writes, or it does not answer. */
  corrupt_pages?: number;
  /** Empty for a cell that was not measured yet. */
  runs: RunRecord[];
}

/** What the guest's writer is asked for, in parts of the link; null without a writer or a limited link. */
export function dirtyRatioOf({ dirty_mbytes_per_second, link_mbps }: CellGuest): number | null {
  if (dirty_mbytes_per_second === null || link_mbps === undefined) return null;
  return Math.round(((dirty_mbytes_per_second * 8) / link_mbps) * 1000) / 1000;
}

/** The part of a cell that its lab is made for. */
export function guestOf({ memory_mib, dirty_mbytes_per_second, link_mbps }: CellGuest): CellGuest {
  const guest = { memory_mib, dirty_mbytes_per_second };
  return link_mbps === undefined ? guest : { ...guest, link_mbps };
}

/** Whether one guest of one lab serves both cells. */
export function sameGuest(one: CellGuest, other: CellGuest): boolean {
  return (
    one.memory_mib === other.memory_mib &&
    one.dirty_mbytes_per_second === other.dirty_mbytes_per_second &&
    one.link_mbps === other.link_mbps
  );
}

/** Whether both are the same combination of the matrix. */
export function sameCell(one: Cell, other: Cell): boolean {
  return (
    sameGuest(one, other) &&
    one.tunnel === other.tunnel &&
    one.traffic === other.traffic &&
    one.policy === other.policy &&
    one.post_copy === other.post_copy
  );
}
