import type { GuestInstance, MigrationProgress } from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import { longestBudgetMs, type PolicyLimits } from "./convergence-policy.ts";
import type { Forecast } from "./forecast.ts";
import type { Pace } from "./pacing.ts";
import type { PrecopyCourse } from "./precopy-course.ts";
import { needsReset } from "./resume.ts";
import { Standstill } from "./standstill.ts";

/** A stream from which nothing comes for so long is given up; TCP itself would wait for minutes. */
export const standstillMs = 5_000;

export interface ConvergencePolicy extends PolicyLimits {
  deadlineMs: number;
  /** What has passed of that already. */
  spentMs: number;
  /** Only passes after this one count; what an earlier one has left says nothing about what the guest dirtied since. */
  afterPass: number;
  /** False for a guest that its user has paused. */
  running: boolean;
  /** What the stream has shown before. */
  course: PrecopyCourse;
}

/** What is told of a stream under way. */
export type TellProgress = (
  progress: MigrationProgress,
  predictedMs: number | null,
  forecast: Forecast | null,
) => void;

/** QEMU stopped the guest before the controller did; the stream has to be given up. */
export class StoppedByHypervisor extends SojournError {
  constructor() {
    super(
      "SOJ_STOPPED_BY_HYPERVISOR",
      "QEMU found nothing left to send and stopped the guest before it was told to; that stop cannot be trusted",
      {
        retryable: true,
        hint: "the guest is very idle: try again, or lower migration.max_bandwidth_mbps",
      },
    );
  }
}

/**
 * Follows the passes of a migration that was just started until it is time to arm, `pace` keeping QEMU from
 * switching over before; or until it goes on by post-copy, where that is allowed. A guest that does not run (its user had
 * paused it) has converged as soon as QEMU says so: nothing would run it again by itself.
 * @throws StoppedByHypervisor; SojournError `SOJ_NOT_CONVERGING`, `SOJ_STREAM_STALLED`, `SOJ_MIGRATION_FAILED`.
 */
export async function awaitConvergence(
  instance: GuestInstance,
  pace: Pace,
  policy: ConvergencePolicy,
  onProgress: TellProgress,
  signal: AbortSignal,
): Promise<"arm" | "post-copy"> {
  const { course, deadlineMs } = policy;
  const startedMs = monotonicMs() - policy.spentMs;
  const mayPostCopy = policy.postCopy && policy.running;
  const limits = { ...policy, postCopy: mayPostCopy };
  let handledPass = policy.afterPass;
  let lastReport = 0;
  const standstill = new Standstill();
  using passes = new PassCounter(instance);
  if (policy.running) await refuseStanding(instance);
  for (;;) {
    signal.throwIfAborted();
    const progress = await instance.migrationProgress();
    if (!policy.running && isAllSent(progress)) return "arm";
    if (policy.running && passes.isStanding && instance.sealsStream)
      throw new StoppedByHypervisor();
    refuseEnded(progress);
    course.note(progress);
    const predictedMs = progress.dirtySyncCount > 1 ? course.predictedMs(progress) : null;
    const forecast = course.forecast(progress, predictedMs, limits);
    if (monotonicMs() - lastReport > 100) {
      lastReport = monotonicMs();
      onProgress(progress, predictedMs, forecast);
    }
    if (progress.dirtySyncCount === 1) {
      if (endsFirstPass(pace, progress)) {
        onProgress(progress, null, null);
        await pace.hold(progress.remainingBytes);
        return "arm";
      }
      await pace.approach(progress);
    }
    const elapsedMs = monotonicMs() - startedMs;
    if (progress.dirtySyncCount > handledPass && predictedMs !== null) {
      handledPass = progress.dirtySyncCount;
      const decision = course.decide(progress, elapsedMs / Math.max(deadlineMs, 1), limits);
      if (decision !== "wait") onProgress(progress, predictedMs, forecast);
      if (decision === "arm") await pace.hold(progress.remainingBytes);
      if (decision !== "wait") return decision;
      await pace.nextPass(progress.remainingBytes);
    }
    if (standstill.note(progress.transferredBytes) > standstillMs) throw streamStalled(progress);
    if (elapsedMs > deadlineMs) {
      if (mayPostCopy) return "post-copy";
      throw notConverging(policy, predictedMs, forecast);
    }
    await passes.next(10, signal);
  }
}

/** Whether nothing of the guest's memory is left at the source. */
export function isAllSent({ status }: Pick<MigrationProgress, "status">): boolean {
  return status === "pre-switchover" || status === "device";
}

/**
 * For a guest whose stream goes to its end by itself: where that does not come, nothing else tells that it stands.
 * @throws StoppedByHypervisor when it was stopped, by its hypervisor or by anybody else.
 */
export async function refuseStanding(
  instance: Pick<GuestInstance, "sealsStream" | "runState">,
): Promise<void> {
  if (!instance.sealsStream) return;
  const state = await instance.runState();
  if (state !== "running" && !needsReset(state)) throw new StoppedByHypervisor();
}

/** @throws StoppedByHypervisor; SojournError `SOJ_MIGRATION_FAILED` when the stream is no longer under way. */
export function refuseEnded(progress: MigrationProgress): void {
  switch (progress.status) {
    case "setup":
    case "active":
    case "none":
      return;
    case "pre-switchover":
    case "device":
      throw new StoppedByHypervisor();
    default:
      throw new SojournError(
        "SOJ_MIGRATION_FAILED",
        `QEMU ended the migration stream: ${progress.errorText ?? progress.status}`,
        { retryable: true },
      );
  }
}

/** Whether arming is due because a stream that goes to its end by itself could not be held after its first pass. */
export function endsFirstPass(
  { armBelowBytes }: Pick<Pace, "armBelowBytes">,
  progress: Pick<MigrationProgress, "dirtySyncCount" | "remainingBytes" | "transferredBytes">,
): boolean {
  const { dirtySyncCount, remainingBytes, transferredBytes } = progress;
  const isFirst = dirtySyncCount === 1 && transferredBytes > 0;
  return isFirst && remainingBytes > 0 && remainingBytes <= armBelowBytes;
}

/** The failure of a stream that stands still. */
export function streamStalled(progress: MigrationProgress): SojournError {
  return new SojournError(
    "SOJ_STREAM_STALLED",
    `the migration stream stands still at ${progress.transferredBytes} bytes for ${standstillMs / 1000} s`,
    {
      retryable: true,
      hint: "is the way between the hosts' underlay addresses open for the stream's TCP port?",
    },
  );
}

function notConverging(
  policy: ConvergencePolicy,
  predictedMs: number | null,
  forecast: Forecast | null,
): SojournError {
  const why =
    predictedMs === null
      ? "the first pass over its memory was not over"
      : `predicted blackout ${predictedMs.toFixed(0)} ms, limit ${longestBudgetMs(policy)} ms`;
  const figures = forecast === null ? why : `${forecast.text}; ${why}`;
  const seconds = (policy.deadlineMs / 1000).toFixed(0);
  return new SojournError(
    "SOJ_NOT_CONVERGING",
    `policy ${policy.policy}: no convergence within ${seconds} s: ${figures}`,
    { hint: whatMayHelp(policy) },
  );
}

function whatMayHelp({ policy }: Pick<PolicyLimits, "policy">): string {
  const others = "--post-copy, a longer --timeout, or a higher migration.downtime_limit_ms";
  switch (policy) {
    case "gentle":
      return `what may help: --policy balanced or finish, which slow the guest; ${others}`;
    case "balanced":
      return `what may help: --policy finish, which slows the guest further and stops it for longer; ${others}`;
    case "finish":
      return "what may help: --post-copy, a longer --timeout, or a higher migration.finish_limit_ms";
  }
}

/** Wakes the loop as soon as QEMU reports a new pass (MIGRATION_PASS), a new status, or a stop. */
class PassCounter implements Disposable {
  isStanding = false;
  readonly #unsubscribe: () => void;
  #wake: () => void = () => {};
  #missed = false;

  constructor(instance: GuestInstance) {
    this.#unsubscribe = instance.onEvent((event) => {
      if (event.name === "STOP" || event.name === "RESUME") this.isStanding = event.name === "STOP";
      else if (event.name !== "MIGRATION_PASS" && event.name !== "MIGRATION") return;
      this.#missed = true;
      this.#wake();
    });
  }

  async next(atMostMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#missed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await Promise.race([promise, delay(atMostMs, signal)]);
    }
    this.#missed = false;
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }
}
