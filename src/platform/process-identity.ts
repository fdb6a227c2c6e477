import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

/** A process that can be told from a later one with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks from the machine's boot to the process's start: proc_pid_stat(5), field 22. */
  startTicks: number;
}

/**
 * Identity of a live process; null when there is none or it is only waiting to be reaped. A process
 * whose first thread has ended before the others still lives.
 */
export function identifyProcess(pid: number): ProcessIdentity | null {
  const text = readProc(pid, "stat");
  // The command name may hold anything, also ")" and spaces; what follows its last ")" cannot.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ") ?? [];
  const state = fields[0];
  const startTicks = Number(fields[19]);
  if (state === undefined || !Number.isSafeInteger(startTicks)) return null;
  if ("ZXx".includes(state) && threadCount(pid) <= 1) return null;
  return { pid, startTicks };
}

/** True while exactly this process lives. */
export function isSameProcess({ pid, startTicks }: ProcessIdentity): boolean {
  return identifyProcess(pid)?.startTicks === startTicks;
}

/** The first live process that has `argument`, in full, on its command line. */
export function findProcessByArgument(argument: string): ProcessIdentity | null {
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (Number.isInteger(pid) && hasArgument(pid, argument)) return identifyProcess(pid);
  }
  return null;
}

/** True when the process's command line holds `argument` in full. */
export function hasArgument(pid: number, argument: string): boolean {
  return readProc(pid, "cmdline")?.split("\0").includes(argument) ?? false;
}

/** SHA-256 of the process's whole command line, in hexadecimal; null when there is no such process. */
export function commandLineDigest(pid: number): string | null {
  const text = readProc(pid, "cmdline");
  return text === null ? null : createHash("sha256").update(text, "latin1").digest("hex");
}

function threadCount(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return null;
  }
}
