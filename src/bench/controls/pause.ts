import { delay, monotonicMs } from "../../platform/clock.ts";
import { usageError } from "../../platform/errors.ts";
import type { Blackout, EventTimes } from "./blackout.ts";
import type { PlainQemu } from "./plain-qemu.ts";

const longestPauseMs = 60_000;
const eventWithinMs = 10_000;
/** Timers fire up to this late, so the rest of the time is spent looking at the clock. */
const timerErrorMs = 2;

/**
 * Stops the guest and lets it go on after `pauseMs`; how long it really was say the events.
 * @throws SojournError `SOJ_USAGE`, `SOJ_HYPERVISOR_…`, or the signal's reason; the guest runs then.
 */
export async function pauseGuest(
  qemu: PlainQemu,
  pauseMs: number,
  times: EventTimes,
  signal: AbortSignal,
): Promise<Blackout> {
  if (!(pauseMs >= 0 && pauseMs <= longestPauseMs)) {
    throw usageError(`a pause lasts 0 to ${longestPauseMs} ms, not ${pauseMs}`);
  }
  const stopListening = qemu.listen((event) => times.see(event));
  try {
    const stopped = qemu.event("STOP", eventWithinMs, signal);
    await Promise.all([stopped, qemu.execute("stop")]);
    const stop = await stopped;
    await waitUntil(stop.receivedMs + pauseMs, signal);
    const resumed = qemu.event("RESUME", eventWithinMs, signal);
    const [resume] = await Promise.all([resumed, qemu.execute("cont")]);
    return { stop, resume, stopHost: qemu.host, resumeHost: qemu.host };
  } catch (error) {
    await qemu.execute("cont");
    throw error;
  } finally {
    stopListening();
  }
}

async function waitUntil(dueMs: number, signal: AbortSignal): Promise<void> {
  await delay(Math.max(0, dueMs - monotonicMs() - timerErrorMs), signal);
  while (monotonicMs() < dueMs);
}
