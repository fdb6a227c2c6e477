import type { MigrationProgress } from "../hypervisor/hypervisor.ts";
import { toMbps } from "../platform/rates.ts";
import type { Forecast } from "./forecast.ts";
import type { GateNote, GatePoint } from "./gates.ts";
import { isFollowing } from "./post-copy-status.ts";
import type { DrainReport, TimelineEntry } from "./report.ts";

/** A migration has entered a phase or passed an instant of its switchover. */
export interface PhaseEvent {
  type: "phase";
  id: string;
  phase: TimelineEntry["phase"];
  host: string;
  /** Since the migration's start, on the source's clock. */
  at_ms: number;
  wall_clock_ms: number;
  /** Of `draining` and `retired`, which come after the migration's report. */
  drain?: DrainReport;
}

/** How far the stream is. */
export interface ProgressEvent {
  type: "progress";
  id: string;
  transferred_bytes: number;
  remaining_bytes: number;
  total_bytes: number;
  bandwidth_mbps: number;
  dirty_mbps: number | null;
  dirty_syncs: number;
  predicted_blackout_ms: number | null;
  /** By how much the guest's processors are slowed; absent while they are not. */
  throttle_percent?: number;
  /** Absent before the guest's rate is known. */
  forecast?: Forecast;
  /** The guest runs at the destination already, and the rest of its memory follows; absent before. */
  post_copy?: true;
  /** Of the guest's flows that were found so far; absent while the destination knows none. */
  flows?: { carried: number; total: number };
}

/** What was heard of a gate. */
export interface GateEvent {
  type: "gate";
  id: string;
  gate: string;
  point: GatePoint;
  decision: GateNote["decision"];
  /** False when the gate has not said so: its configured default. */
  answered: boolean;
  reason: string | null;
  /** Since it was first asked at this point. */
  waited_ms: number;
  /** Since the migration's start, on the source's clock. */
  at_ms: number;
  wall_clock_ms: number;
}

/** After a migration that has renumbered its guest: the guest's name in the DNS was updated, or could not be. */
export interface NameEvent {
  type: "name";
  /** Of the migration that gave the guest its other address. */
  id: string;
  name: string;
  /** Where the name leads now, or was to lead; null: nowhere. */
  address: string | null;
  /** Resolvers may answer with the old address for so long; null when that is not known, or does not matter. */
  ttl_s: number | null;
  /** Why it was not updated; it is tried again. Null when it was. */
  failure: { code: string; message: string } | null;
  wall_clock_ms: number;
}

export function progressEvent(
  id: string,
  progress: MigrationProgress,
  predictedMs: number | null,
  {
    forecast = null,
    flows = null,
  }: { forecast?: Forecast | null; flows?: { carried: number; total: number } | null } = {},
): ProgressEvent {
  const { throttlePercent } = progress;
  return {
    type: "progress",
    id,
    transferred_bytes: progress.transferredBytes,
    remaining_bytes: progress.remainingBytes,
    total_bytes: progress.totalBytes,
    bandwidth_mbps: progress.bandwidthMbps,
    dirty_mbps: progress.dirtyBytesPerSecond === null ? null : toMbps(progress.dirtyBytesPerSecond),
    dirty_syncs: progress.dirtySyncCount,
    predicted_blackout_ms: predictedMs,
    ...(throttlePercent === null ? {} : { throttle_percent: throttlePercent }),
    ...(forecast === null ? {} : { forecast }),
    ...(isFollowing(progress.status) ? { post_copy: true as const } : {}),
    ...(flows === null ? {} : { flows }),
  };
}
