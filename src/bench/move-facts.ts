import type { Outcome } from "../migrator/report.ts";
import { ExitCode, SojournError } from "../platform/errors.ts";

/** How one of our moves went, whatever its outcome. What was not told is null. */
export interface MoveFacts {
  /** Null when it was refused before it began. */
  outcome: Outcome | null;
  /** Of what it ended with, unless it completed. */
  error_code: string | null;
  /** From its start to its end. */
  lasted_ms: number | null;
  transferred_bytes: number | null;
  /** Over the guest's memory (QEMU's dirty-sync-count). */
  passes: number | null;
  /** What the guest dirtied while the stream ran, by QEMU's count of pages: the median of what it told. */
  dirty_mbps: number | null;
  /** The most of its time that the guest was kept from running to make it dirty less. */
  throttled_percent: number | null;
  /** How long the guest ran at the destination before all of its memory was there. */
  post_copy_ms: number | null;
  /** The longest predicted blackout that its policy accepts: `downtime_limit_ms`, of `finish` `finish_limit_ms`. */
  blackout_limit_ms: number | null;
  /** Whether the measured blackout kept to it; null without a blackout. */
  within_limit: boolean | null;
}

/** Names in the order in which they are written. */
export const moveFactNames = [
  "outcome",
  "error_code",
  "lasted_ms",
  "transferred_bytes",
  "passes",
  "dirty_mbps",
  "throttled_percent",
  "post_copy_ms",
  "blackout_limit_ms",
  "within_limit",
] as const satisfies readonly (keyof MoveFacts)[];

/** A move that did not complete, and what is known of it. */
export class MoveFailed extends SojournError {
  readonly move: MoveFacts;

  constructor(error: SojournError, move: MoveFacts) {
    super(error.code as `SOJ_${string}`, error.message, {
      cause: error,
      exitCode: error.exitCode,
      retryable: error.retryable,
      ...(error.hint === null ? {} : { hint: error.hint }),
      ...(error.guestState === null ? {} : { guestState: error.guestState }),
    });
    this.move = move;
  }
}

/** What an error that a move ended with says of its outcome. Pure. */
export function outcomeOfError(exitCode: number): Outcome | null {
  switch (exitCode) {
    case ExitCode.rolledBack:
      return "rolled-back";
    case ExitCode.inDoubt:
      return "in-doubt";
    case ExitCode.cancelled:
      return "cancelled";
    case ExitCode.guestLost:
      return "guest-lost";
    default:
      return null;
  }
}

/** That a guest was too busy to be moved is what was to be found out, and no failure of the benchmark's. */
export function wasTooBusy(move: MoveFacts | null): boolean {
  return move?.error_code === "SOJ_NOT_CONVERGING";
}
