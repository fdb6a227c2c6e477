import { delay, monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import {
  identifyProcess,
  isSameProcess,
  type ProcessIdentity,
} from "../platform/process-identity.ts";

/** @throws SojournError `SOJ_PROCESS_GONE` when there is no such process any more. */
export function identify(pid: number): ProcessIdentity {
  const identity = identifyProcess(pid);
  if (identity === null) throw new SojournError("SOJ_PROCESS_GONE", `process ${pid} has ended`);
  return identity;
}

/** Sends the signal if exactly this process is still there; returns whether it was. */
export function sendSignal(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isSameProcess(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Waits until the process has ended; returns false when it is still there after `timeoutMs`. */
export async function waitUntilGone(
  identity: ProcessIdentity,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = monotonicMs() + timeoutMs;
  // Not our child, and Node has no pidfd: looking is all that is left.
  while (isSameProcess(identity)) {
    if (monotonicMs() > deadline) return false;
    await delay(5);
  }
  return true;
}
