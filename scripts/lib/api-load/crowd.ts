import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { labNodePrefix } from "../../../src/lab/index.ts";

/** A program of this folder at the lab's client, from its "ready" until it is asked what came of it. */
export class Crowd<Result> implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static async gather<Result>(
    lab: string,
    script: string,
    options: object,
  ): Promise<Crowd<Result>> {
    const [program, ...prefix] = labNodePrefix(lab, "client");
    const args = [...prefix, process.execPath, join(import.meta.dirname, script)];
    const child = spawn(program as string, [...args, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "inherit"],
      // A session of its own, so that its priority counts for all that the machine does.
      detached: true,
    });
    const crowd = new Crowd<Result>(child);
    await crowd.#next();
    return crowd;
  }

  async disperse(): Promise<Result> {
    this.#child.stdin.end();
    return (await this.#next()) as Result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await closed;
  }

  async #next(): Promise<unknown> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error("the callers' process ended unexpectedly");
    return JSON.parse(value);
  }
}
