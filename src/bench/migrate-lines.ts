import type { ProgressEvent } from "../migrator/events.ts";
import type { MigrationReport, TimelineEntry } from "../migrator/report.ts";
import { type ErrorRecord, SojournError } from "../platform/errors.ts";
import type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
import { type MoveFacts, MoveFailed, outcomeOfError } from "./move-facts.ts";
import type { RunResult } from "./run.ts";
import { medianOf } from "./statistics.ts";

/** Longest predicted blackout that a policy accepts; null where that is not known. */
export type BlackoutLimit = (policy: string | undefined) => number | null;

/** The lines of `sojourn migrate --json` that a run is made of. */
export class MigrateLines {
  #throughput: ThroughputTimeline | null = null;
  #last: MigrationReport | ErrorRecord | null = null;
  #endedMs: number | null = null;
  #transferredBytes: number | null = null;
  #passes: number | null = null;
  #throttledPercent: number | null = null;
  readonly #dirtyMbps: number[] = [];

  see(line: string): void {
    const value = parse(line);
    switch (value?.type) {
      case "report":
      case "error":
        this.#last = value as unknown as MigrationReport | ErrorRecord;
        break;
      case "throughput": {
        const { start_ms, step_ms, mbps } = value as unknown as ThroughputTimeline;
        this.#throughput = { start_ms, step_ms, mbps };
        break;
      }
      case "phase":
        this.#endedMs = (value as unknown as { at_ms: number }).at_ms;
        break;
      case "progress":
        this.#seeProgress(value as unknown as ProgressEvent & { throttle_percent?: number | null });
    }
  }

  /**
   * @param limitOf of the policy that the move had, or was asked to have.
   * @throws MoveFailed for a move that did not complete; SojournError the one that was reported instead of a move, or
   *   `SOJ_BENCH_RUN`.
   */
  result(said = "", limitOf: BlackoutLimit = () => null): RunResult {
    const last = this.#last;
    if (last === null) throw runFailed(said.trim() === "" ? "no report" : said.trim().slice(-600));
    const move = this.#moveFacts(last, limitOf);
    if (last.type === "error") throw this.#failure(SojournError.fromRecord(last, 500), move);
    if (last.outcome !== "completed") {
      throw new MoveFailed(runFailed(`the migration ended ${last.outcome}`), move);
    }
    return {
      blackoutMs: last.blackout_ms,
      controlMs: controlMsOf(last.timeline),
      totalMs: last.total_ms,
      move,
      probes: last.probes,
      timeline: last.timeline,
      throughput: this.#throughput,
    };
  }

  #seeProgress({ throttle_percent, ...progress }: ProgressEvent & { throttle_percent?: unknown }) {
    this.#transferredBytes = progress.transferred_bytes;
    this.#passes = progress.dirty_syncs;
    if (progress.dirty_mbps !== null) this.#dirtyMbps.push(progress.dirty_mbps);
    if (typeof throttle_percent === "number") {
      this.#throttledPercent = Math.max(this.#throttledPercent ?? 0, throttle_percent);
    }
  }

  /** What never began has nothing to tell of a move. */
  #failure(error: SojournError, move: MoveFacts): SojournError {
    return this.#endedMs === null ? error : new MoveFailed(error, move);
  }

  #moveFacts(last: MigrationReport | ErrorRecord, limitOf: BlackoutLimit): MoveFacts {
    const told: ToldOfMove = last.type === "report" ? last : {};
    const limitMs = limitOf(told.policy);
    const blackoutMs = told.blackout_ms ?? null;
    return {
      outcome: last.type === "report" ? last.outcome : outcomeOfError(last.exit_code),
      error_code: last.type === "error" ? last.code : null,
      lasted_ms: told.total_ms ?? this.#endedMs,
      transferred_bytes: told.transferred_bytes ?? this.#transferredBytes,
      passes: this.#passes,
      dirty_mbps: medianOf(this.#dirtyMbps),
      throttled_percent: told.throttled_percent ?? this.#throttledPercent,
      post_copy_ms: told.post_copy?.duration_ms ?? null,
      blackout_limit_ms: limitMs,
      within_limit: limitMs === null || blackoutMs === null ? null : blackoutMs <= limitMs,
    };
  }
}

/** Of a report, what tells how the move went. */
interface ToldOfMove
  extends Partial<Pick<MigrationReport, "blackout_ms" | "total_ms" | "transferred_bytes">> {
  policy?: string;
  throttled_percent?: number | null;
  post_copy?: { duration_ms: number | null };
}

/** From QEMU's pre-switchover to the word that it go on; null where either moment is not told. */
export function controlMsOf(timeline: readonly { phase: string; at_ms: number }[]): number | null {
  const timeOf = (phase: string) => timeline.find((entry) => entry.phase === phase)?.at_ms;
  const [from, to] = [
    timeOf("pre-switchover"),
    timeOf("continue" satisfies TimelineEntry["phase"]),
  ];
  return from === undefined || to === undefined ? null : Math.round((to - from) * 100) / 100;
}

/** The failure of a run that has told no error of its own. */
export function runFailed(reason: string): SojournError {
  return new SojournError("SOJ_BENCH_RUN", `sojourn migrate: ${reason}`, { guestState: "unknown" });
}

function parse(line: string): { type?: unknown } | null {
  try {
    return JSON.parse(line) as { type?: unknown };
  } catch {
    return null;
  }
}
