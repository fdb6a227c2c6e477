import type { GuestInstance, MigrationProgress } from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";

/** QEMU's rate limiter grants bandwidth in windows of this length (BUFFER_DELAY in migration/migration.c). */
export const rateWindowMs = 100;

/**
 * How long an armed stream would need for the rest: long, so that a window's burst is over at once even where the
 * stream is encrypted on a busy machine, and its beginning is seen in time (`awaitWindowEnd`).
 */
const heldSeconds = 4;

/** Downtime limit (ms) at which the held-down rate counts as fast enough for the rest, so that QEMU switches over. */
export const switchoverLimitMs = 10_000;

/** Loading the devices' state and starting again, beside the remaining memory. */
const deviceAllowanceMs = 10;

export interface ConvergencePolicy {
  /** Predicted blackout that is good enough to arm at once. */
  downtimeLimitMs: number;
  /** 0 means as fast as the link takes it. */
  maxBandwidthBytesPerSecond: number;
  /** What the first pass was started with. */
  firstPassBytesPerSecond: number;
  /** Dirty syncs (QEMU's passes) before arming, at least 2. */
  minimumPasses: number;
  deadlineMs: number;
}

/** QEMU stopped the guest before the controller did; the stream has to be given up (DESIGN 2.5). */
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

/** Bandwidth for the first pass: slow enough that a small guest's end is not over before it can be seen. */
export function firstPassBandwidth(
  memoryBytes: number,
  maxBandwidthBytesPerSecond: number,
): number {
  const paced = Math.max(memoryBytes / 2, 16 * 1024 * 1024);
  return Math.round(
    maxBandwidthBytesPerSecond === 0 ? paced : Math.min(paced, maxBandwidthBytesPerSecond),
  );
}

/** Bandwidth at which `remainingBytes` last for `seconds`; never so little that nothing moves in a window. */
export function holdingBandwidth(remainingBytes: number, seconds: number): number {
  return Math.max(Math.round(remainingBytes / seconds), 3 * 4096 * (1000 / rateWindowMs));
}

/**
 * Bandwidth for the rest of the first pass, or null when the present one will do: each window takes at most
 * half of what is left. QEMU sends a window's share in one burst, so a fast last window would carry everything
 * that an idle guest dirtied as well, and QEMU would stop it. Pure.
 */
export function approachBandwidth(remainingBytes: number, presentBandwidth: number): number | null {
  const slower = holdingBandwidth(remainingBytes, (2 * rateWindowMs) / 1000);
  return slower < 0.75 * presentBandwidth ? slower : null;
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
 * Follows the passes of a migration that was just started until it is time to arm, keeping the stream slow
 * enough that QEMU never runs out of pages before (DESIGN 2.3). On return the bandwidth is held down.
 * @throws StoppedByHypervisor; SojournError `SOJ_NOT_CONVERGING`, `SOJ_MIGRATION_FAILED`.
 */
export async function awaitConvergence(
  instance: GuestInstance,
  policy: ConvergencePolicy,
  onProgress: (progress: MigrationProgress, predictedMs: number | null) => void,
  signal: AbortSignal,
): Promise<void> {
  const deadline = monotonicMs() + policy.deadlineMs;
  let linkBytesPerSecond = 0;
  let previousPredictedMs: number | null = null;
  let presentBandwidth = policy.firstPassBytesPerSecond;
  let handledPass = 1;
  let lastReport = 0;
  using passes = new PassCounter(instance);
  for (;;) {
    signal.throwIfAborted();
    const progress = await instance.migrationProgress();
    refuseEnded(progress);
    linkBytesPerSecond = Math.max(linkBytesPerSecond, linkSpeed(progress, policy));
    const predictedMs =
      progress.dirtySyncCount > 1 ? predictedBlackoutMs(progress, linkBytesPerSecond) : null;
    if (monotonicMs() - lastReport > 100) {
      lastReport = monotonicMs();
      onProgress(progress, predictedMs);
    }
    if (progress.dirtySyncCount === 1 && progress.remainingBytes > 0) {
      const slower = approachBandwidth(progress.remainingBytes, presentBandwidth);
      if (slower !== null) {
        presentBandwidth = slower;
        await instance.setOutgoingParameters({ maxBandwidthBytesPerSecond: slower });
      }
    }
    if (progress.dirtySyncCount > handledPass && predictedMs !== null) {
      handledPass = progress.dirtySyncCount;
      const pass = { number: handledPass, predictedMs, previousPredictedMs };
      if (isConverged(pass, policy)) {
        onProgress(progress, predictedMs);
        await hold(instance, progress.remainingBytes, heldSeconds);
        return;
      }
      // No pass is shorter than a window: QEMU would find nothing dirty between two quick ones and stop.
      await instance.setOutgoingParameters({
        maxBandwidthBytesPerSecond: paced(progress.remainingBytes, policy),
      });
      previousPredictedMs = predictedMs;
    }
    if (monotonicMs() > deadline) throw notConverging(progress, predictedMs, policy);
    await passes.next(10, signal);
  }
}

/**
 * Waits for the moment just before the rate limiter lets the held-down stream go on, so that raising the
 * bandwidth and stopping the guest fall into its sleep and the rest of memory follows at once.
 */
export async function awaitWindowEnd(instance: GuestInstance, signal: AbortSignal): Promise<void> {
  const marginMs = 12;
  const giveUpAt = monotonicMs() + 2 * rateWindowMs;
  let previous = (await instance.migrationProgress()).transferredBytes;
  let quiet = false;
  while (monotonicMs() < giveUpAt) {
    signal.throwIfAborted();
    const progress = await instance.migrationProgress();
    refuseEnded(progress);
    if (progress.transferredBytes === previous) quiet = true;
    else if (quiet) {
      await delay(rateWindowMs - marginMs, signal);
      return;
    }
    previous = progress.transferredBytes;
    await delay(2, signal);
  }
}

function paced(remainingBytes: number, policy: ConvergencePolicy): number {
  const bandwidth = holdingBandwidth(remainingBytes, rateWindowMs / 1000);
  return policy.maxBandwidthBytesPerSecond === 0
    ? bandwidth
    : Math.min(bandwidth, policy.maxBandwidthBytesPerSecond);
}

async function hold(instance: GuestInstance, remainingBytes: number, seconds: number) {
  await instance.setOutgoingParameters({
    maxBandwidthBytesPerSecond: holdingBandwidth(remainingBytes, seconds),
  });
}

function linkSpeed(progress: MigrationProgress, policy: ConvergencePolicy): number {
  if (policy.maxBandwidthBytesPerSecond !== 0) return policy.maxBandwidthBytesPerSecond;
  return Math.max((progress.bandwidthMbps * 1e6) / 8, 16 * 1024 * 1024);
}

function refuseEnded(progress: MigrationProgress): void {
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

/** Wakes the loop as soon as QEMU reports a new pass (MIGRATION_PASS) or a new status. */
class PassCounter implements Disposable {
  readonly #unsubscribe: () => void;
  #wake: () => void = () => {};
  #missed = false;

  constructor(instance: GuestInstance) {
    this.#unsubscribe = instance.onEvent((event) => {
      if (event.name !== "MIGRATION_PASS" && event.name !== "MIGRATION") return;
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
