import { readFileSync } from "node:fs";
import { delay, monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";

/** A process, told apart from a later one with the same pid by its start time (proc(5), stat field 22). */
export interface ProcessIdentity {
  pid: number;
  startTicks: string;
}

/** @throws SojournError `SOJ_PROCESS_GONE` when there is no such process any more. */
export function identify(pid: number): ProcessIdentity {
  const stat = readStat(pid);
  if (stat === null) throw new SojournError("SOJ_PROCESS_GONE", `process ${pid} has ended`);
  return { pid, startTicks: stat.startTicks };
}

/** True while exactly this process exists; a zombie has ended. */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readStat(identity.pid);
  return stat !== null && stat.state !== "Z" && stat.startTicks === identity.startTicks;
}

/** Sends the signal if exactly this process is still there; returns whether it was. */
export function sendSignal(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
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
  while (isAlive(identity)) {
    if (monotonicMs() > deadline) return false;
    await delay(5);
  }
  return true;
}

function readStat(pid: number): { state: string; startTicks: string } | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  // The command name in parentheses may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  return state === undefined || startTicks === undefined ? null : { state, startTicks };
}
