import type { MigrationProgress } from "../hypervisor/hypervisor.ts";
import type { TimelineEntry } from "./report.ts";

/** A migration has entered a phase or passed an instant of its switchover. */
export interface PhaseEvent {
  type: "phase";
  id: string;
  phase: TimelineEntry["phase"];
  host: string;
  /** Since the migration's start, on the source's clock. */
  at_ms: number;
  wall_clock_ms: number;
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
}

export function progressEvent(
  id: string,
  progress: MigrationProgress,
  predictedMs: number | null,
): ProgressEvent {
  return {
    type: "progress",
    id,
    transferred_bytes: progress.transferredBytes,
    remaining_bytes: progress.remainingBytes,
    total_bytes: progress.totalBytes,
    bandwidth_mbps: progress.bandwidthMbps,
    dirty_mbps:
      progress.dirtyBytesPerSecond === null ? null : (progress.dirtyBytesPerSecond * 8) / 1e6,
    dirty_syncs: progress.dirtySyncCount,
    predicted_blackout_ms: predictedMs,
  };
}
