import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { delay, monotonicMs } from "../../platform/clock.ts";
import { ExitCode, SojournError } from "../../platform/errors.ts";
import type { QemuProcess } from "./qemu-process.ts";
import type { QmpSession } from "./qmp/session.ts";

/**
 * Starts QEMU so that it outlives us: a session of its own, no descriptors of ours, output to a file.
 * @throws SojournError `SOJ_HYPERVISOR_START_FAILED` when the program cannot be run at all.
 */
export async function launchQemu(
  binary: string,
  args: readonly string[],
  logPath: string,
): Promise<ChildProcess> {
  await using log = await open(logPath, "a", 0o600);
  const child = spawn(binary, args, {
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    cwd: "/",
    env: { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  try {
    await once(child, "spawn");
  } catch (cause) {
    throw startFailed(`${binary} cannot be run: ${(cause as Error).message}`, cause);
  }
  child.unref();
  return child;
}

/**
 * Connects to a monitor that may not be there yet.
 * @throws SojournError `SOJ_HYPERVISOR_START_FAILED` with QEMU's own words when it ends instead or takes too long.
 */
export async function awaitMonitor(
  session: QmpSession,
  process: QemuProcess,
  logPath: string,
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = monotonicMs() + timeoutMs;
  for (;;) {
    try {
      await session.connect(Math.max(1, deadlineMs - monotonicMs()));
      return;
    } catch (cause) {
      if (await process.waitForEnd(isNotThereYet(cause) ? 0 : 500)) {
        throw startFailed(`QEMU ended at once: ${await logTail(logPath)}`, cause);
      }
      if (!isNotThereYet(cause) || monotonicMs() >= deadlineMs) {
        throw startFailed(`QEMU's monitor did not come up: ${(cause as Error).message}`, cause);
      }
    }
    await Promise.race([delay(10), process.ended]);
  }
}

/** Before QEMU has bound its socket and listens on it. */
function isNotThereYet(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : null;
  return cause?.code === "ENOENT" || cause?.code === "ECONNREFUSED";
}

/** The end of what QEMU has said. */
export async function logTail(path: string): Promise<string> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  const buffer = Buffer.alloc(Math.min(size, 1000));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
  const text = buffer.toString("utf8", 0, bytesRead).trim();
  return text === "" ? "it said nothing" : text;
}

function startFailed(message: string, cause: unknown): SojournError {
  return new SojournError("SOJ_HYPERVISOR_START_FAILED", message, {
    cause,
    exitCode: ExitCode.precondition,
    hint: "nothing of this process is left",
  });
}
