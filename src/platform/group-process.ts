import { type ChildProcessByStdio, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { startTimer } from "./clock.ts";
import { findTool, requireDescriptors } from "./command.ts";

/** Between the request to end and the kill. */
const endingGraceMs = 1_000;

/** How long what an ended program has printed may take to arrive. */
const outputGraceMs = 200;

/** What is added to the nice value of a process in the background (nice(1)). */
const backgroundNiceness = 10;

export interface GroupProcessOptions {
  args?: readonly string[];
  input: string;
  /** All of its environment. */
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** Of each of its two outputs; what goes beyond is dropped. */
  maxOutputBytes: number;
  signal?: AbortSignal;
  /** Whether everything else goes before it: processors, and disks where their scheduler knows priorities. */
  isBackground?: boolean;
}

export interface GroupProcessResult {
  /** Null when it was ended by a signal. */
  exitCode: number | null;
  endedBy: "itself" | "timeout" | "stop";
  stdout: string;
  stderr: string;
  /** Whether an output went beyond its bound. */
  isCut: boolean;
}

/**
 * Runs somebody else's program in a process group of its own, none of which is left when this resolves: not after its
 * time-out or `signal`, not when it ends and leaves children. Ends with this process, however that ends
 * (PR_SET_PDEATHSIG by setpriv(1), passed on to the group by timeout(1)).
 * @param program absolute path.
 * @throws SojournError `SOJ_DESCRIPTORS`, `SOJ_TOOL_MISSING`; the system's error when it cannot be started.
 */
export async function runInGroup(
  program: string,
  options: GroupProcessOptions,
): Promise<GroupProcessResult> {
  requireDescriptors(program);
  const { timeoutMs, signal } = options;
  const child = start(program, options);
  const [stdout, stderr] = [child.stdout, child.stderr].map(
    (stream) => new BoundedOutput(stream, options.maxOutputBytes),
  ) as [BoundedOutput, BoundedOutput];
  let endedBy: GroupProcessResult["endedBy"] = "itself";
  const end = (reason: "timeout" | "stop") => {
    if (endedBy !== "itself") return;
    endedBy = reason;
    signalGroup(child, "SIGTERM");
    killing = startTimer(() => signalGroup(child, "SIGKILL"), endingGraceMs);
  };
  let killing: { cancel(): void } | null = null;
  const late = startTimer(() => end("timeout"), timeoutMs);
  const stop = () => end("stop");
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  try {
    const exitCode = await exitOf(child);
    return {
      ...{ exitCode, endedBy, stdout: stdout.text(), stderr: stderr.text() },
      isCut: stdout.isCut || stderr.isCut,
    };
  } finally {
    late.cancel();
    (killing as { cancel(): void } | null)?.cancel();
    signal?.removeEventListener("abort", stop);
  }
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

function start(program: string, options: GroupProcessOptions): Child {
  const { args = [], input, env, timeoutMs, isBackground = false } = options;
  // Only for a process whose parent is gone: its own time-out comes later than ours.
  const seconds = String(Math.ceil((timeoutMs + 5_000) / 1000));
  const withUs = ["--pdeathsig", "TERM", ...(isBackground ? lowPriority() : [])];
  const inTime = [findTool("timeout"), "--kill-after=1", seconds];
  const child = spawn(findTool("setpriv"), [...withUs, ...inTime, program, ...args], {
    ...{ cwd: "/", env: { ...env }, detached: true },
    stdio: ["pipe", "pipe", "pipe"],
  });
  if (isBackground && child.pid !== undefined) lowerSession(child.pid, backgroundNiceness);
  // A program that does not read its input is none of our trouble.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return child;
}

/**
 * Not the idle classes: where guests keep all processors or a disk busy, these would never have their turn (sched(7),
 * ionice(1)), and what waits for a hook is often the network. Of the disk's best-effort class the lowest.
 */
function lowPriority(): string[] {
  const niceness = [findTool("nice"), "-n", `${backgroundNiceness}`];
  return [...niceness, findTool("ionice"), "-t", "-c", "2", "-n", "7"];
}

/**
 * Where the kernel groups processes by session, a nice value counts within its session only, and the session has one
 * of its own (sched(7), "The autogroup feature").
 */
export function lowerSession(pid: number, niceness: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, `${niceness}`);
  } catch {
    // This kernel does not group, or the process has ended.
  }
}

/** What it has printed until its end counts; a process that has left the group may hold its output for ever. */
async function exitOf(child: Child): Promise<number | null> {
  try {
    return await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => {
        signalGroup(child, "SIGKILL");
        const letGo = startTimer(() => {
          child.stdout.destroy();
          child.stderr.destroy();
        }, outputGraceMs);
        child.once("close", () => {
          letGo.cancel();
          resolve(code);
        });
      });
    });
  } finally {
    child.stdin.destroy();
  }
}

/** Nothing when the group is gone. */
function signalGroup(child: Child, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

class BoundedOutput {
  readonly #chunks: Buffer[] = [];
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(stream: Readable, mostBytes: number) {
    this.#mostBytes = mostBytes;
    stream.on("data", (chunk: Buffer) => {
      if (this.#bytes < mostBytes) this.#chunks.push(chunk.subarray(0, mostBytes - this.#bytes));
      this.#bytes += chunk.length;
    });
    stream.on("error", () => {});
  }

  get isCut(): boolean {
    return this.#bytes > this.#mostBytes;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
