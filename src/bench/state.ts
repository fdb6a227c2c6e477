import type { MachineFacts } from "./machine.ts";
import type { CellRecord } from "./records.ts";

/** All that a benchmark has: what is written after every run. */
export interface BenchState {
  command: string;
  /** ISO 8601, UTC. */
  started: string;
  /** `running` until its end; what was interrupted stays that way. */
  progress: "running" | "complete" | "interrupted" | "failed";
  machine: MachineFacts;
  cells: CellRecord[];
}
