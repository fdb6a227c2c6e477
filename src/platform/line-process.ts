import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { findTool } from "./command.ts";

export interface LineReceiver {
  /** A whole line of standard output; must be quick. */
  onLine(line: string): void;
  /** Something it said on standard error, or a line too long to be kept. */
  onComplaint(text: string): void;
  /** It is over, for `reason`; nothing is said afterwards. */
  onEnd(reason: string): void;
}

const longestLineBytes = 64 * 1024;

/**
 * A system program that runs until it is disposed and tells something line by line, with `LC_ALL=C`. The kernel ends
 * it with this process, however that ends (PR_SET_PDEATHSIG, by setpriv(1)).
 */
export class LineProcess implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended = Promise.withResolvers<void>();
  #isDisposed = false;

  /** @throws SojournError `SOJ_TOOL_MISSING`. */
  constructor(program: string, args: readonly string[], receiver: LineReceiver) {
    const withUs = ["--pdeathsig", "KILL", findTool(program), ...args];
    this.#child = spawn(findTool("setpriv"), withUs, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    });
    const tell = (say: () => void) => {
      if (!this.#isDisposed) say();
    };
    const end = (reason: string) => {
      tell(() => receiver.onEnd(reason));
      this.#isDisposed = true;
      this.#ended.resolve();
    };
    readLines(this.#child.stdout, {
      onLine: (line) => tell(() => receiver.onLine(line)),
      onTooLong: () => tell(() => receiver.onComplaint("a line was too long")),
    });
    this.#child.stderr.on("data", (chunk: Buffer) =>
      tell(() => receiver.onComplaint(chunk.toString("latin1").trim().slice(0, 400))),
    );
    this.#child.on("error", (error) => end(error.message));
    this.#child.on("exit", (code, signal) => end(signal ?? `exit code ${code}`));
  }

  /** Ends it; nothing is said from now on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#child.kill("SIGKILL");
    await this.#ended.promise;
  }
}

function readLines(
  stream: Readable,
  { onLine, onTooLong }: { onLine(line: string): void; onTooLong(): void },
): void {
  let rest = "";
  let isTooLong = false;
  stream.setEncoding("latin1");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!isTooLong) onLine(line);
      isTooLong = false;
    }
    if (rest.length <= longestLineBytes) return;
    rest = "";
    isTooLong = true;
    onTooLong();
  });
}
