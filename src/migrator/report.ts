import type { Phase } from "./phases.ts";

export type Outcome = "completed" | "rolled-back" | "cancelled" | "in-doubt" | "guest-lost";

export interface TimelineEntry {
  phase: Phase | "stop" | "promise" | "route-change" | "continue" | "takeover" | "resume";
  /** Since the migration's start, on the source's clock. */
  at_ms: number;
  host: string;
}

export interface TcpEchoResult {
  outage_ms: number | null;
  floor_ms: number | null;
  sessions: number;
  broken: number;
}

export interface TcpStreamResult extends TcpEchoResult {
  before_mbps: number | null;
  after_mbps: number | null;
  recovery_ms: number | null;
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
  probes: { tcp_echo?: TcpEchoResult; tcp_stream?: TcpStreamResult };
  flows: { established: number; survived: number } | null;
  budget_ms: number | null;
  within_budget: boolean | null;
}
