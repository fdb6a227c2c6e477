import type { ProbeResults } from "../probe/results.ts";
import type { GatePoint } from "./gates.ts";
import type { PolicyName } from "./migration-options.ts";
import type { Phase } from "./phases.ts";
import type { RetirementReason } from "./records.ts";
import type { StrategyName } from "./strategy.ts";

/** How a migration may end. */
export const outcomes = [
  "completed",
  "rolled-back",
  "cancelled",
  "in-doubt",
  "guest-lost",
] as const satisfies readonly Phase[];

export type Outcome = (typeof outcomes)[number];

export interface TimelineEntry {
  /** `gate` for the instant of a gate's decision (`gates` says which). */
  phase:
    | Phase
    | "stop"
    | "pre-switchover"
    | "promise"
    | "route-change"
    | "continue"
    | "takeover"
    | "resume"
    | "gate";
  /** Since the migration's start, on the source's clock. */
  at_ms: number;
  host: string;
}

/** A gate's last word at one point of the migration. */
export interface GateResult {
  gate: string;
  point: GatePoint;
  decision: "allow" | "deny";
  /** False when the gate has not said so: its configured default. */
  answered: boolean;
  reason: string | null;
  waited_ms: number;
  /** Since the migration's start, on the source's clock. */
  at_ms: number;
}

/** The guest's flows across the migration; null in a report where the source tracked none. */
export interface FlowsReport {
  /** In the source's connection tracking when the guest was about to be stopped. */
  established: number;
  /** Of these, those that nobody had reset when the migration was verified; null when that is not known. */
  survived: number | null;
  /** Tracked by the destination when the guest went on there. */
  carried?: number;
  /** What the destination's kernel refused, by errno; they are told apart by their packets alone. */
  refused?: Record<string, number>;
  /** Reading, sending and installing all of them, and what had changed just before the stop. */
  carry_ms?: number;
  difference_ms?: number;
}

/** What has become of the redirect since; times are the home's wall clock. */
export interface DrainReport {
  /** `ended`: the guest has come home or ended before, and its address was never freed. */
  state: "draining" | "retired" | "ended";
  /** Why it was retired; null until then. */
  reason: RetirementReason | null;
  /** Milliseconds since 1970; null until then. */
  retired_ms: number | null;
  /** The guest's old address, once it is its home's to give again. */
  freed: string | null;
}

/** The stable result of a migration. Figures that were not measured are null; absent probes did not run. */
export interface MigrationReport {
  type: "report";
  id: string;
  guest: string;
  from: string;
  to: string;
  outcome: Outcome;
  /** Where an operator's decision has kept the guest; absent when none was needed. */
  resolved?: "source" | "destination";
  /** Only when it is not `lossless`. */
  strategy?: StrategyName;
  /** Only when it is not `balanced`. */
  policy?: PolicyName;
  /** The furthest that the guest's processors were slowed; absent when they were not. */
  throttled_percent?: number;
  tunnel: { kind: string; datapath: "kernel" | "bpf"; mtu: number } | null;
  timeline: TimelineEntry[];
  /** Absent when no gate was asked. */
  gates?: GateResult[];
  blackout_ms: number | null;
  total_ms: number;
  transferred_bytes: number | null;
  /** How the rest of the memory followed the guest; absent when all of it went before. */
  post_copy?: { duration_ms: number; recovered: number };
  /** The destination's wall clock minus the source's, and the largest error of that; null when not estimated. */
  clock_offset_ms: number | null;
  clock_error_ms: number | null;
  /** Packets for the guest that the destination's tap had no room for; null when not known. */
  packets_dropped: number | null;
  probes: ProbeResults;
  /** How far the guest's wall clock jumped across the blackout; null when it was not asked. */
  guest_clock_step_ms: number | null;
  flows: FlowsReport | null;
  /** Absent when the guest has kept its address alone. */
  renumbered?: { from: string; to: string };
  /** Absent until the redirect drains or is retired. */
  drain?: DrainReport;
  budget_ms: number | null;
  within_budget: boolean | null;
}
