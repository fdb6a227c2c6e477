import type { GuestInstance } from "../hypervisor/hypervisor.ts";
import { delay, startTimer } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";

/** Between two tries of a monitor that does not answer. */
const retryMs = 200;

/** Time for the destination to prove its abort, after a restart, before a copy that is found running is stopped. */
const proofMs = 1_000;

/** Processes whose copy of a promised guest must not run, with what ends the watch. */
const kept = new WeakMap<GuestInstance, () => void>();

/**
 * From the promise on the source's copy must not run, whoever lets it: an operator's `cont` is answered
 * with a `stop` at once, and an alarm in the log. Ends with `mayRun` or with the process.
 */
export function keepStopped(instance: GuestInstance, logger: Logger): void {
  if (kept.has(instance)) return;
  const unsubscribe = instance.onEvent(({ name }) => {
    if (name === "RESUME") void stopAgain(instance, logger);
  });
  kept.set(instance, unsubscribe);
}

/**
 * The same after a restart. A copy that runs then was let run while nobody watched, or by us after an abort of the
 * destination, which says so again if it can be reached.
 */
export function keepStoppedAfterRestart(instance: GuestInstance, logger: Logger): void {
  keepStopped(instance, logger);
  startTimer(() => void stopIfRunning(instance, logger), proofMs, false);
}

/** The destination has proved its abort: this copy is the guest again. */
export function mayRun(instance: GuestInstance): void {
  kept.get(instance)?.();
  kept.delete(instance);
}

/** Stops a copy that was let run before anybody watched. */
export async function stopIfRunning(instance: GuestInstance, logger: Logger): Promise<void> {
  const state = await instance.runState().catch(() => null);
  if (state === "running" && kept.has(instance)) await stopAgain(instance, logger);
}

async function stopAgain(instance: GuestInstance, logger: Logger): Promise<void> {
  const { guest, pid } = instance;
  while (kept.has(instance) && instance.isAlive()) {
    try {
      await instance.stop();
      logger.error({ guest, pid }, "alarm: the source's copy ran after the promise; it is stopped");
      return;
    } catch (error) {
      logger.error({ guest, pid, err: error }, "alarm: the source's copy runs after the promise");
      await delay(retryMs);
    }
  }
}
