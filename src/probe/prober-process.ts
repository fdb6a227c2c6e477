import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LineSplitter } from "../platform/line-splitter.ts";
import { maxLineBytes, type ProberMessage, parseProberMessage } from "./messages.ts";
import { proberProtocolError } from "./prober-errors.ts";

const maxStderrBytes = 4096;

/** How a prober's process came to its end. */
export interface ProberExit {
  exitCode: number | null;
  signal: string | null;
  /** End of what it, or its command prefix, said on standard error. */
  stderr: string;
  /** What made us give it up, or why it could not be started. */
  error: unknown;
}

/** The child of a prober: messages out, commands in, and exactly one end. */
export class ProberProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  #error: unknown = null;
  #stderr = "";
  readonly exited: Promise<ProberExit>;

  /**
   * @param commandPrefix program and arguments that run what follows them, for example in a namespace
   * @param args arguments of `src/probe/main.ts`
   */
  constructor(
    commandPrefix: readonly string[],
    args: readonly string[],
    onMessage: (message: ProberMessage) => void,
  ) {
    const [program, ...rest] = [...commandPrefix, process.execPath, mainPath(), ...args];
    this.#child = spawn(program as string, rest, {
      stdio: ["pipe", "pipe", "pipe"],
      // Own group: the terminal's Ctrl-C asks us, and we end the prober when its series is complete.
      detached: true,
      env: { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    });
    this.exited = new Promise((resolve) => {
      this.#child.on("error", (error) => {
        this.#error ??= error;
        if (this.#child.pid === undefined) resolve(this.#exit(null, null));
      });
      this.#child.on("close", (exitCode, signal) => resolve(this.#exit(exitCode, signal)));
    });
    this.#child.stdin.on("error", () => {});
    this.#readMessages(onMessage);
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-maxStderrBytes);
    });
  }

  sendStop(): void {
    this.#child.stdin.write('{"command":"stop"}\n');
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #readMessages(onMessage: (message: ProberMessage) => void): void {
    const lines = new LineSplitter(maxLineBytes, proberProtocolError);
    this.#child.stdout.on("data", (chunk: Buffer) => {
      if (this.#error !== null) return;
      try {
        for (const line of lines.push(chunk)) onMessage(parseProberMessage(line));
      } catch (error) {
        this.#error = error;
        this.kill();
      }
    });
  }

  #exit(exitCode: number | null, signal: string | null): ProberExit {
    return { exitCode, signal, stderr: this.#stderr.trim(), error: this.#error };
  }
}

function mainPath(): string {
  const name = import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js";
  return fileURLToPath(new URL(name, import.meta.url));
}
