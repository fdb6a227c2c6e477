import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../deploy/examples/", import.meta.url));
const preload = new URL("client-of-sources.ts", import.meta.url).href;

/** How to run a file of deploy/examples: program and arguments. */
export function exampleCommand(file: string, args: readonly string[] = []): [string, ...string[]] {
  const path = `${folder}${file}`;
  if (!file.endsWith(".mjs")) return [path, ...args];
  return [process.execPath, "--import", preload, path, ...args];
}

/** A running example, and what it prints. */
export class RunningExample implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #changed = new EventTarget();

  constructor(
    [program, ...args]: readonly [string, ...string[]],
    env: Record<string, string> = {},
  ) {
    const stdio: ["ignore", "pipe", "inherit"] = ["ignore", "pipe", "inherit"];
    const child = spawn(program, args, { stdio, env: { ...process.env, ...env } });
    this.#child = child;
    const heard = (line: string) => {
      this.lines.push(line);
      this.#changed.dispatchEvent(new Event("line"));
    };
    createInterface({ input: child.stdout }).on("line", heard);
    this.#closed = once(child, "close").then(() => this.#changed.dispatchEvent(new Event("line")));
  }

  /** The first line like `pattern`, once it is there; throws when the program ends without one. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null) throw new Error(`ended: ${this.lines.join("\n")}`);
      await once(this.#changed, "line");
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Its exit status, once it has ended. */
  async ended(): Promise<number | null> {
    await this.#closed;
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }
}
