import { spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { findTool } from "../platform/command.ts";
import { preconditionError } from "../platform/errors.ts";

/**
 * Takes an exclusive lock on a file for as long as this process lives (flock(2)): the kernel gives it back
 * when the process ends, however it ends. Disposing gives it back earlier.
 * @throws SojournError `SOJ_ALREADY_RUNNING` when another process holds it.
 */
export async function lockFile(path: string): Promise<AsyncDisposable> {
  const held = await tryLockFile(path);
  if (held === null) throw alreadyRunning(`another process holds ${path}`);
  return held;
}

/** The same, or null when another process holds it. */
export async function tryLockFile(path: string): Promise<AsyncDisposable | null> {
  const file = await open(path, "a", 0o600);
  try {
    if (await tryLock(file)) return { [Symbol.asyncDispose]: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return null;
}

export function alreadyRunning(reason: string) {
  return preconditionError("SOJ_ALREADY_RUNNING", `a daemon runs on this host already: ${reason}`, {
    hint: "stop it first, or give this one other folders under [paths]",
  });
}

/** Node has no flock; the lock belongs to the open file, which the short-lived child merely shares. */
async function tryLock(file: FileHandle): Promise<boolean> {
  const child = spawn(findTool("flock"), ["--exclusive", "--nonblock", "3"], {
    stdio: ["ignore", "ignore", "ignore", file.fd],
    timeout: 5_000,
  });
  const [exitCode] = await once(child, "exit");
  return exitCode === 0;
}
