import type { ChildProcess } from "node:child_process";
import { delay, monotonicMs } from "../../platform/clock.ts";
import { isSameProcess, type ProcessIdentity } from "../../platform/process-identity.ts";

/**
 * A QEMU process, our child or one that an earlier daemon started. The end of a foreign process is
 * seen when somebody looks (`isAlive`, `waitForEnd`): the lost monitor connection is the occasion.
 */
export class QemuProcess {
  readonly pid: number;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  readonly #identity: ProcessIdentity;
  readonly #end = Promise.withResolvers<void>();
  #hasEnded = false;

  constructor(identity: ProcessIdentity, child?: ChildProcess) {
    this.pid = identity.pid;
    this.#identity = identity;
    this.ended = this.#end.promise;
    child?.once("exit", () => this.#markEnded());
    if (child !== undefined && (child.exitCode !== null || child.signalCode !== null)) {
      this.#markEnded();
    }
  }

  isAlive(): boolean {
    if (!this.#hasEnded && !isSameProcess(this.#identity)) this.#markEnded();
    return !this.#hasEnded;
  }

  /** True when the process ended within `timeoutMs`. */
  async waitForEnd(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const deadlineMs = monotonicMs() + timeoutMs;
    while (this.isAlive() && monotonicMs() < deadlineMs && !signal?.aborted) {
      await Promise.race([this.ended, delay(5)]);
    }
    return !this.isAlive();
  }

  /** SIGKILL, to this process only; resolves when it has ended. */
  async kill(): Promise<void> {
    if (!this.isAlive()) return;
    try {
      process.kill(this.pid, "SIGKILL");
    } catch {
      // It ended in between.
    }
    while (!(await this.waitForEnd(1000)));
  }

  #markEnded(): void {
    this.#hasEnded = true;
    this.#end.resolve();
  }
}
