import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { labNodePrefix } from "../../../src/lab/index.ts";
import { nodePath } from "../../support/namespaces.ts";

/** A program of this folder that runs in a lab's node and prints JSON lines. */
export class NodeProgram<Line> implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #closed: Promise<unknown>;
  readonly #waiting = new Set<() => void>();

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#closed = once(child, "close").then(() => this.#look());
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as Line);
      this.#look();
    });
  }

  /** @param script file name in this folder. */
  static start<Line>(lab: string, node: string, script: string, args: readonly string[] = []) {
    return NodeProgram.startBehind<Line>(labNodePrefix(lab, node), script, args);
  }

  /** The same anywhere else. @param prefix start of a command line that runs what follows it there. */
  static startBehind<Line>(
    prefix: readonly string[],
    script: string,
    args: readonly string[] = [],
  ) {
    const file = fileURLToPath(new URL(script, import.meta.url));
    const [program = "", ...rest] = [...prefix, nodePath, file, ...args];
    const child = spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] });
    return new NodeProgram<Line>(child);
  }

  isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  say(text: string): void {
    this.#child.stdin.write(`${text}\n`);
  }

  /** First line, past or future, that fits. @throws Error when the program ends or the time is over before. */
  line(fits: (line: Line) => boolean, timeoutMs = 30_000): Promise<Line> {
    const { promise, resolve, reject } = Promise.withResolvers<Line>();
    const fail = (why: string) => {
      reject(new Error(`${why}; the last line: ${JSON.stringify(this.lines.at(-1))}`));
    };
    const timer = setTimeout(() => fail(`no such line within ${timeoutMs} ms`), timeoutMs);
    const look = () => {
      const found = this.lines.find(fits);
      if (found !== undefined) resolve(found);
      else if (!this.isRunning()) fail("the program ended without such a line");
    };
    this.#waiting.add(look);
    look();
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(look);
    });
  }

  /** Ends its standard input, waits for its end, and returns its last line. */
  async finish(): Promise<Line> {
    this.#child.stdin.end();
    await this.#closed;
    const last = this.lines.at(-1);
    if (last === undefined) throw new Error("the program said nothing");
    return last;
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning()) this.#child.kill("SIGKILL");
    await this.#closed;
  }
}
