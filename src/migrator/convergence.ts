import type { GuestInstance, MigrationProgress } from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import type { Pace } from "./pacing.ts";
import { needsReset } from "./resume.ts";
import { Standstill } from "./standstill.ts";

/** Loading the devices' state and starting again, beside the remaining memory. */
const deviceAllowanceMs = 10;

/** A stream from which nothing comes for so long is given up; TCP itself would wait for minutes. */
export const standstillMs = 5_000;

export interface ConvergencePolicy {
  /** Predicted blackout that is good enough to arm at once. */
  downtimeLimitMs: number;
  /** 0 means as fast as the link takes it. */
  maxBandwidthBytesPerSecond: number;
  /** Dirty syncs (QEMU's passes) before arming, at least 2. */
  minimumPasses: number;
  deadlineMs: number;
  /** Only passes after this one count; what an earlier one has left says nothing about what the guest dirtied since. */
  afterPass: number;
  /** False for a guest that its user has paused. */
  running: boolean;
}

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

/** Expected time from STOP to RESUME, from QEMU's own figures. */
export function predictedBlackoutMs(
  progress: Pick<MigrationProgress, "remainingBytes">,
  linkBytesPerSecond: number,
): number {
  return (progress.remainingBytes / linkBytesPerSecond) * 1000 + deviceAllowanceMs;
}

/** Whether to arm after this pass, given what was left after the pass before. Pure. */
export function isConverged(
  pass: { number: number; predictedMs: number; previousPredictedMs: number | null },
  policy: Pick<ConvergencePolicy, "downtimeLimitMs" | "minimumPasses">,
): boolean {
  if (pass.number < Math.max(2, policy.minimumPasses)) return false;
  if (pass.predictedMs <= 3 * deviceAllowanceMs) return true;
  const stillImproving =
    pass.previousPredictedMs === null || pass.predictedMs < 0.8 * pass.previousPredictedMs;
  return pass.predictedMs <= policy.downtimeLimitMs && !stillImproving;
}

/**
 * Follows the passes of a migration that was just started until it is time to arm, `pace` keeping QEMU from
 * switching over before. A guest that does not run (its user had paused it) has converged as soon as
 * QEMU says so: nothing would run it again by itself.
 * @throws StoppedByHypervisor; SojournError `SOJ_NOT_CONVERGING`, `SOJ_STREAM_STALLED`, `SOJ_MIGRATION_FAILED`.
 */
export async function awaitConvergence(
  instance: GuestInstance,
  pace: Pace,
  policy: ConvergencePolicy,
  onProgress: (progress: MigrationProgress, predictedMs: number | null) => void,
  signal: AbortSignal,
): Promise<void> {
  const deadline = monotonicMs() + policy.deadlineMs;
  let linkBytesPerSecond = 0;
  let previousPredictedMs: number | null = null;
  let handledPass = policy.afterPass;
  let lastReport = 0;
  const standstill = new Standstill();
  using passes = new PassCounter(instance);
  if (policy.running) await refuseStanding(instance);
  for (;;) {
    signal.throwIfAborted();
    const progress = await instance.migrationProgress();
    if (!policy.running && isAllSent(progress)) return;
    if (policy.running && passes.isStanding && instance.sealsStream)
      throw new StoppedByHypervisor();
    refuseEnded(progress);
    linkBytesPerSecond = Math.max(linkBytesPerSecond, linkSpeed(progress, policy));
    const predictedMs =
      progress.dirtySyncCount > 1 ? predictedBlackoutMs(progress, linkBytesPerSecond) : null;
    if (monotonicMs() - lastReport > 100) {
      lastReport = monotonicMs();
      onProgress(progress, predictedMs);
    }
    if (progress.dirtySyncCount === 1) {
      if (endsFirstPass(pace, progress)) {
        onProgress(progress, null);
        return await pace.hold(progress.remainingBytes);
      }
      await pace.approach(progress);
    }
    if (progress.dirtySyncCount > handledPass && predictedMs !== null) {
      handledPass = progress.dirtySyncCount;
      const pass = { number: handledPass, predictedMs, previousPredictedMs };
      if (isConverged(pass, policy)) {
        onProgress(progress, predictedMs);
        await pace.hold(progress.remainingBytes);
        return;
      }
      await pace.nextPass(progress.remainingBytes);
      previousPredictedMs = predictedMs;
    }
    if (standstill.note(progress.transferredBytes) > standstillMs) throw streamStalled(progress);
    if (monotonicMs() > deadline) throw notConverging(progress, predictedMs, policy);
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

/** Bytes per second that the link takes, as far as is known. */
export function linkSpeed(
  progress: MigrationProgress,
  policy: Pick<ConvergencePolicy, "maxBandwidthBytesPerSecond">,
): number {
  if (policy.maxBandwidthBytesPerSecond !== 0) return policy.maxBandwidthBytesPerSecond;
  return Math.max((progress.bandwidthMbps * 1e6) / 8, 16 * 1024 * 1024);
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
  progress: MigrationProgress,
  predictedMs: number | null,
  policy: ConvergencePolicy,
): SojournError {
  const dirty = ((progress.dirtyBytesPerSecond ?? 0) * 8) / 1e6;
  return new SojournError(
    "SOJ_NOT_CONVERGING",
    `no convergence within ${policy.deadlineMs / 1000} s: the guest dirties ${dirty.toFixed(0)} Mbit/s, the stream moves ${progress.bandwidthMbps.toFixed(0)} Mbit/s, predicted blackout ${predictedMs?.toFixed(0) ?? "unknown"} ms, limit ${policy.downtimeLimitMs} ms`,
    { hint: "raise migration.downtime_limit_ms or --timeout, or move it when it is less busy" },
  );
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
