import { createServer } from "node:net";
import { delay, monotonicMs } from "../platform/clock.ts";
import { preconditionError } from "../platform/errors.ts";
import { labMark } from "./layout.ts";

/**
 * Only one process at a time builds or removes a lab. The lock is a bound abstract unix socket, which the
 * kernel releases however its owner ends.
 * @throws SojournError `SOJ_LAB_BUSY` when it is still held after `waitMs`.
 */
export async function lockLab(lab: string, waitMs = 0): Promise<AsyncDisposable> {
  return lock(labMark(lab), `the lab ${lab} is just being built or removed`, waitMs);
}

/** The same for what all labs of the machine share; held for moments only. */
export async function lockMachine(): Promise<AsyncDisposable> {
  return lock("sojourn-lab", "another lab is just being built or removed", 10_000);
}

async function lock(name: string, meaning: string, waitMs: number): Promise<AsyncDisposable> {
  const deadline = monotonicMs() + waitMs;
  for (;;) {
    const held = await tryLock(name);
    if (held !== null) return held;
    if (monotonicMs() > deadline) {
      throw preconditionError("SOJ_LAB_BUSY", meaning, {
        hint: "try again when the other command has ended",
        retryable: true,
      });
    }
    await delay(20);
  }
}

function tryLock(name: string): Promise<AsyncDisposable | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(null);
      else reject(error);
    });
    server.listen(`\0${name}`, () => {
      resolve({
        [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())),
      });
    });
  });
}
