import type { TimelineEntry } from "../migrator/report.ts";
import type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
import type { RunFigures } from "./figures.ts";
import type { Load, Strategy } from "./run.ts";

/** One combination of the matrix; each has a guest of its own. */
export interface Cell {
  memory_mib: number;
  /** Null for a guest that does not write memory on purpose. */
  dirty_mbytes_per_second: number | null;
  tunnel: string;
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
  /** Milliseconds since the migration's start, as in `throughput`. */
  timeline: TimelineEntry[];
  throughput: ThroughputTimeline | null;
}

export interface CellRecord extends Cell {
  strategies: readonly Strategy[];
  load: readonly Load[];
  runs: RunRecord[];
}
