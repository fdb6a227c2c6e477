import type { GuestInstance } from "../hypervisor/hypervisor.ts";
import { delay } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";

/** Between two tries; a monitor that does not answer proves nothing about its guest. */
const retryMs = 500;

/**
 * Continues a guest that this host has taken over, again and again while its process lives, since nobody else
 * may. Resolves with QEMU's own instant of its running again (ms since 1970), or null when it ran already or its
 * process has ended.
 */
export async function resume(instance: GuestInstance, logger: Logger): Promise<number | null> {
  try {
    return await resumeOnce(instance);
  } catch (error) {
    logger.error({ guest: instance.guest, err: error }, "the guest does not run yet");
    await delay(retryMs);
    return await resumeUnlessRunning(instance, logger);
  }
}

/** The same for a guest that may run already, as after a restart. */
export async function resumeUnlessRunning(
  instance: GuestInstance,
  logger: Logger,
): Promise<number | null> {
  while (instance.isAlive()) {
    try {
      const state = await instance.runState();
      if (state === "running" || needsReset(state)) return null;
      return await resumeOnce(instance);
    } catch (error) {
      logger.error({ guest: instance.guest, err: error }, "the guest does not run yet");
    }
    await delay(retryMs);
  }
  return null;
}

/**
 * True for a guest that stands because of a fault of its own, and that QEMU refuses to continue before a reset
 * (`runstate_needs_reset` in system/runstate.c): nobody's waiting would make it run.
 */
export function needsReset(state: string): boolean {
  return state === "internal-error" || state === "shutdown";
}

async function resumeOnce(instance: GuestInstance): Promise<number | null> {
  const giveUp = new AbortController();
  const resumed = instance.waitForEvent("RESUME", (event) => event.name === "RESUME", {
    timeoutMs: 5_000,
    signal: giveUp.signal,
  });
  resumed.catch(() => {});
  try {
    await instance.cont();
    return (await resumed).timestampMs;
  } finally {
    giveUp.abort();
  }
}
