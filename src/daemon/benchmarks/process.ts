import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { startTimer } from "../../platform/clock.ts";
import { findTool, requireDescriptors } from "../../platform/command.ts";
import { SojournError } from "../../platform/errors.ts";
import { LineSplitter } from "../../platform/line-splitter.ts";
import { identifyProcess, type ProcessIdentity } from "../../platform/process-identity.ts";

export interface BenchmarkProcessOptions {
  /** Program and arguments. */
  commandLine: readonly string[];
  env: Readonly<Record<string, string>>;
  /** A line of its standard output; must be quick. */
  onLine: (line: string) => void;
}

export interface BenchmarkExit {
  exitCode: number | null;
  /** The end of what it said on standard error, or why it was given up. */
  said: string;
}

const longestLineBytes = 256 * 1024;
const maxSaidChars = 2_000;
/** How long one that is told to end may take: it waits for the move under way to be measured, or given up. */
const graceMs = 15_000;

/**
 * A benchmark in a process of its own, which gets no more of the daemon's event loop than its lines. The kernel tells
 * it to end when the daemon ends, however that ends (PR_SET_PDEATHSIG, by setpriv(1)).
 */
export class BenchmarkProcess {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<BenchmarkExit>;
  readonly identity: ProcessIdentity | null;
  #said = "";
  #isStopping = false;

  /** @throws SojournError `SOJ_TOOL_MISSING`, `SOJ_DESCRIPTORS`. */
  constructor({ commandLine, env, onLine }: BenchmarkProcessOptions) {
    requireDescriptors("a benchmark");
    this.#child = spawn(findTool("setpriv"), ["--pdeathsig", "TERM", ...commandLine], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    });
    this.identity = identifyProcess(this.#child.pid ?? 0);
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => this.#say(text));
    const splitter = new LineSplitter(longestLineBytes, protocolError);
    this.#child.stdout.on("data", (chunk: Buffer) => {
      try {
        for (const line of splitter.push(chunk)) onLine(line);
      } catch (error) {
        this.#say(String(error));
        this.#child.stdout.removeAllListeners("data").resume();
        this.stop();
      }
    });
    this.ended = new Promise((resolve) => {
      const end = (exitCode: number | null) => resolve({ exitCode, said: this.#said.trim() });
      this.#child.on("error", (error) => {
        this.#say(error.message);
        if (this.#child.pid === undefined) end(null);
      });
      this.#child.on("close", (exitCode) => end(exitCode));
    });
  }

  /** Asks it to end, and ends it when it does not. */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#child.kill("SIGTERM");
    const kill = startTimer(() => void this.#child.kill("SIGKILL"), graceMs, false);
    void this.ended.then(() => kill.cancel());
  }

  #say(text: string): void {
    this.#said = (this.#said + text).slice(-maxSaidChars);
  }
}

function protocolError(what: string, cause?: unknown): SojournError {
  return new SojournError("SOJ_BENCHMARK_PROTOCOL", `the benchmark printed ${what}`, { cause });
}
