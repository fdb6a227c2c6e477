import type { ProbeResults } from "../probe/results.ts";
import type { Phase } from "./phases.ts";

export type Outcome = "completed" | "rolled-back" | "cancelled" | "in-doubt" | "guest-lost";

export interface TimelineEntry {
  phase: Phase | "stop" | "promise" | "route-change" | "continue" | "takeover" | "resume";
  /** Since the migration's start, on the source's clock. */
  at_ms: number;
  host: string;
}

/** The stable result of a migration (DESIGN 7). Figures that were not measured are null; absent probes did not run. */
export interface MigrationReport {
  type: "report";
  id: string;
  guest: string;
  from: string;
  to: string;
  outcome: Outcome;
  tunnel: { kind: string; datapath: "kernel" | "bpf"; mtu: number } | null;
  timeline: TimelineEntry[];
  blackout_ms: number | null;
  total_ms: number;
  transferred_bytes: number | null;
  probes: ProbeResults;
  /** How far the guest's wall clock jumped across the blackout; null when it was not asked. */
  guest_clock_step_ms: number | null;
  flows: { established: number; survived: number } | null;
  budget_ms: number | null;
  within_budget: boolean | null;
}
