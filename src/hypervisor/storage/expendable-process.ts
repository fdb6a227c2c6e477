import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { startTimer } from "../../platform/clock.ts";
import { requireDescriptors } from "../../platform/command.ts";
import { preconditionError, SojournError } from "../../platform/errors.ts";
import { LineSplitter } from "../../platform/line-splitter.ts";

const longestLineBytes = 1024 * 1024;

/** How many that were given up may still hang before no further one is started. */
const mostHanging = 8;
const hanging = new Set<ChildProcessWithoutNullStreams>();

/**
 * A Node program for work that may hang in the kernel, as on a network file system whose server is away. It answers a
 * line of JSON with another one; lines that begin with `#` tell what it is about to do. One that does not answer in
 * time is killed and not waited for: not even SIGKILL ends a process in an uninterruptible sleep.
 * Disposing ends its input, upon which it clears up and ends by itself.
 */
export class ExpendableProcess implements Disposable {
  readonly #child: ChildProcessWithoutNullStreams;
  #answered = Promise.withResolvers<string>();
  #isEnded = false;
  /** What it said last that it was about to do. */
  doing = "";

  /** @throws SojournError `SOJ_DESCRIPTORS`; `SOJ_STORAGE_SILENT` while too many earlier ones hang. */
  constructor(program: string) {
    requireDescriptors(program);
    if (hanging.size >= mostHanging) {
      throw silent(`${hanging.size} earlier checks still hang, no further one is begun`);
    }
    this.#child = spawn(process.execPath, ["--no-warnings", program], {
      stdio: ["pipe", "pipe", "pipe"],
      // In a group of its own: a terminal's Ctrl-C would keep it from clearing up.
      detached: true,
      env: {
        ...{ LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        ...(process.env.NODE_COMPILE_CACHE === undefined
          ? {}
          : { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }),
      },
    });
    this.#answered.promise.catch(() => {});
    this.#listen();
  }

  /** @throws SojournError `SOJ_STORAGE_SILENT`, or what became of the process. */
  async ask(question: object, timeoutMs: number): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(question)}\n`);
    const timer = startTimer(() => this.#giveUp(timeoutMs), timeoutMs);
    try {
      return JSON.parse(await this.#answered.promise);
    } finally {
      timer.cancel();
    }
  }

  [Symbol.dispose](): void {
    if (!this.#isEnded) this.#child.stdin.end();
  }

  #giveUp(timeoutMs: number): void {
    const what = this.doing === "" ? "storage" : this.doing;
    this.#answered.reject(silent(`${what} did not answer within ${timeoutMs} ms`));
    this.#child.kill("SIGKILL");
    this.#child.unref();
    for (const stream of this.#child.stdio) stream?.destroy();
    if (!this.#isEnded) hanging.add(this.#child);
  }

  #listen(): void {
    const child = this.#child;
    let said = "";
    child.stdin.on("error", () => {});
    child.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString("latin1")).slice(-2_000);
    });
    const splitter = new LineSplitter(
      longestLineBytes,
      (what) => new Error(`${what} from a check`),
    );
    child.stdout.on("data", (chunk: Buffer) => {
      try {
        for (const line of splitter.push(chunk)) this.#take(line);
      } catch (error) {
        this.#answered.reject(error);
        child.kill("SIGKILL");
      }
    });
    const end = (reason: string) => {
      this.#isEnded = true;
      hanging.delete(child);
      const words = said.trim() === "" ? reason : said.trim();
      this.#answered.reject(new SojournError("SOJ_STORAGE_CHECK", `a check ended: ${words}`));
    };
    child.on("error", (error) => end(error.message));
    child.on("close", (code, signal) => end(signal ?? `exit code ${code}`));
    child.on("exit", () => {
      this.#isEnded = true;
      hanging.delete(child);
    });
  }

  #take(line: string): void {
    if (line.startsWith("#")) {
      this.doing = line.slice(1);
      return;
    }
    const { resolve } = this.#answered;
    this.#answered = Promise.withResolvers();
    this.#answered.promise.catch(() => {});
    resolve(line);
  }
}

function silent(what: string): SojournError {
  return preconditionError("SOJ_STORAGE_SILENT", what, {
    retryable: true,
    hint: "is its server reachable? try `ls` there, and `findmnt -T PATH`",
  });
}
