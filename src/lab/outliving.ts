import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { delay, monotonicMs } from "../platform/clock.ts";
import { isSameProcess, type ProcessIdentity } from "../platform/process-identity.ts";
import { writeFileAtomically } from "./files.ts";
import { labNodePrefix } from "./nodes.ts";
import { identify } from "./process-control.ts";

export interface OutlivingOptions {
  /** Program and arguments, as the node finds them. */
  command: readonly string[];
  /** File that gets what it says. */
  log: string;
  /** File that gets its identity, so that later commands find it. */
  record: string;
  /** The caller's own without it. */
  env?: NodeJS.ProcessEnv;
}

/** Starts a program in a node of a lab, outliving the caller. @throws SojournError `SOJ_PROCESS_GONE`. */
export async function startOutliving(
  lab: string,
  node: string,
  { command, log, record, env }: OutlivingOptions,
): Promise<ProcessIdentity> {
  const [program, ...prefix] = labNodePrefix(lab, node) as [string, ...string[]];
  const output = openSync(log, "a", 0o600);
  const child = spawn(program, [...prefix, ...command], {
    cwd: "/",
    detached: true,
    ...(env === undefined ? {} : { env }),
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  await once(child, "spawn");
  child.unref();
  const identity = identify(child.pid as number);
  writeFileAtomically(record, JSON.stringify(identity));
  return identity;
}

/** Waits until a program is ready; tells how it failed to become so, or null. */
export async function untilReady(
  identity: ProcessIdentity,
  isReady: () => Promise<boolean>,
  withinMs: number,
): Promise<"ended" | "late" | null> {
  const deadlineMs = monotonicMs() + withinMs;
  while (!(await isReady())) {
    if (!isSameProcess(identity)) return "ended";
    if (monotonicMs() >= deadlineMs) return "late";
    await delay(25);
  }
  return null;
}
