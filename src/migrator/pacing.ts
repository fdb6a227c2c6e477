import type { GuestInstance, MigrationProgress, RunState } from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";
import { StreamBandwidth } from "./stream-bandwidth.ts";

/** QEMU's rate limiter grants bandwidth in windows of this length (BUFFER_DELAY in migration/migration.c). */
export const rateWindowMs = 100;

/** Milliseconds. Below this the guest's own activity decides, so that QEMU never converges by itself while it runs. */
export const precopyDowntimeLimitMs = 1;

/**
 * How long an armed stream would need for the rest: long, so that a window's burst is over at once even where the
 * stream is encrypted on a busy machine, and its beginning is seen in time (`windowEnd`).
 */
const heldSeconds = 4;

/** With so much left, a stream that is held down has never been seen to end (an idle guest of 128 MiB). */
const firstPassEndBytes = 24 * 1024 * 1024;

/** What keeps a QEMU from switching over before it is told to. */
export interface Pace {
  /** QEMU stops the guest as soon as nothing is left to send. */
  stopsByItself: boolean;
  /** Left in the first pass when arming is due already; 0 where a later pass decides. */
  armBelowBytes: number;
  /** During the first pass, with every reading. */
  approach(progress: MigrationProgress): Promise<void>;
  /** After a pass that was not the last. */
  nextPass(remainingBytes: number): Promise<void>;
  /** From here to the stop the stream must not run out of pages. */
  hold(remainingBytes: number): Promise<void>;
  /** Run states right after a stop of ours; any other one means that QEMU, or something else, was first. */
  ownStop: readonly RunState[];
  /** Returns when stopping the guest is followed by the rest of memory at once. */
  stoppable(signal: AbortSignal): Promise<void>;
}

/** For a QEMU that waits for the stop by itself (`heldUntilStopped`): the stream is never slowed down. */
export const unpaced: Pace = {
  stopsByItself: false,
  armBelowBytes: 0,
  approach: async () => {},
  nextPass: async () => {},
  hold: async () => {},
  ownStop: ["paused", "finish-migrate"],
  stoppable: async () => {},
};

/** For a QEMU that stops the guest as soon as nothing is pending: the bandwidth is held down. */
export function paced(
  instance: GuestInstance,
  bandwidth: { firstPassBytesPerSecond: number; maxBytesPerSecond: number },
  stream = new StreamBandwidth(instance, bandwidth.firstPassBytesPerSecond),
): Pace {
  let present = bandwidth.firstPassBytesPerSecond;
  const set = async (bytesPerSecond: number) => {
    present = bytesPerSecond;
    await stream.set(bytesPerSecond);
  };
  return {
    stopsByItself: true,
    armBelowBytes: 0,
    approach: async ({ remainingBytes }) => {
      if (remainingBytes === 0) return;
      const slower = approachBandwidth(remainingBytes, present);
      if (slower !== null) await set(slower);
    },
    // No pass is shorter than a window: QEMU would find nothing dirty between two quick ones and stop.
    nextPass: async (remainingBytes) => {
      const wanted = holdingBandwidth(remainingBytes, rateWindowMs / 1000);
      const { maxBytesPerSecond } = bandwidth;
      await set(maxBytesPerSecond === 0 ? wanted : Math.min(wanted, maxBytesPerSecond));
    },
    ownStop: ["paused"],
    hold: (remainingBytes) => set(holdingBandwidth(remainingBytes, heldSeconds)),
    stoppable: (signal) => windowEnd(instance, signal),
  };
}

/**
 * For a hypervisor whose stream goes to its end by itself (`GuestInstance.sealsStream`): of an idle guest nothing is left
 * after the first pass that could be held back, so that arming comes before its end. Empty pages go by in no time: after
 * an attempt that missed the end, the next one looks for it earlier.
 */
export function pacedToEnd(
  instance: GuestInstance,
  bandwidth: { firstPassBytesPerSecond: number; maxBytesPerSecond: number },
  attempts: number,
  stream?: StreamBandwidth,
): Pace {
  return {
    ...paced(instance, bandwidth, stream),
    armBelowBytes: firstPassEndBytes * 8 ** attempts,
    // The rest of the first pass goes while the guest runs.
    stoppable: async () => {},
  };
}

/** Bandwidth for the first pass: slow enough that a small guest's end is not over before it can be seen. */
export function firstPassBandwidth(
  memoryBytes: number,
  maxBandwidthBytesPerSecond: number,
): number {
  const slow = Math.max(memoryBytes / 2, 16 * 1024 * 1024);
  return Math.round(
    maxBandwidthBytesPerSecond === 0 ? slow : Math.min(slow, maxBandwidthBytesPerSecond),
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

/**
 * Waits for the moment just before the rate limiter lets the held-down stream go on, so that raising the
 * bandwidth and stopping the guest fall into its sleep and the rest of memory follows at once.
 */
async function windowEnd(instance: GuestInstance, signal: AbortSignal): Promise<void> {
  const marginMs = 12;
  const giveUpAt = monotonicMs() + 2 * rateWindowMs;
  let previous = (await instance.migrationProgress()).transferredBytes;
  let quiet = false;
  while (monotonicMs() < giveUpAt) {
    signal.throwIfAborted();
    const { transferredBytes } = await instance.migrationProgress();
    if (transferredBytes === previous) quiet = true;
    else if (quiet) {
      await delay(rateWindowMs - marginMs, signal);
      return;
    }
    previous = transferredBytes;
    await delay(2, signal);
  }
}
