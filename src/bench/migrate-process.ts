import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type BlackoutLimit, MigrateLines, runFailed } from "./migrate-lines.ts";
import type { RunResult } from "./run.ts";

export interface MigrateCommand {
  /** Program and what stands before `migrate`. */
  commandLine: readonly string[];
  args: readonly string[];
  timeoutMs: number;
  signal: AbortSignal;
  limitOf?: BlackoutLimit;
}

/** How long a child that is told to end may take; its probers end with it. */
const graceMs = 10_000;
const maxSaidChars = 4_000;

/**
 * One move, driven and measured as a user would do it: `sojourn migrate … --json` in a process of its own.
 * @throws SojournError what it reports instead of a completed migration (`MoveFailed`), `SOJ_BENCH_RUN` when it says
 *   nothing or takes too long; the signal's reason, after the child has ended.
 */
export async function runMigrate(command: MigrateCommand): Promise<RunResult> {
  command.signal.throwIfAborted();
  const [program, ...prefix] = command.commandLine as [string, ...string[]];
  // In a process group of its own: a terminal's Ctrl-C is for us, and we pass it on.
  const child = spawn(program, [...prefix, ...command.args], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-maxSaidChars);
  });
  const closed = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
  });
  closed.catch(() => {});
  let timedOut = false;
  using _timers = endInTime(child, command, () => {
    timedOut = true;
  });
  const lines = new MigrateLines();
  for await (const line of createInterface({ input: child.stdout })) lines.see(line);
  await closed;
  command.signal.throwIfAborted();
  if (timedOut) throw runFailed(`no end within ${command.timeoutMs} ms`);
  return lines.result(said, command.limitOf);
}

function endInTime(
  child: ReturnType<typeof spawn>,
  { timeoutMs, signal }: MigrateCommand,
  onTimeout: () => void,
): Disposable {
  let kill: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill("SIGTERM");
    kill ??= setTimeout(() => child.kill("SIGKILL"), graceMs);
  };
  const deadline = setTimeout(() => {
    onTimeout();
    end();
  }, timeoutMs);
  signal.addEventListener("abort", end, { once: true });
  return {
    [Symbol.dispose]: () => {
      clearTimeout(deadline);
      clearTimeout(kill);
      signal.removeEventListener("abort", end);
    },
  };
}
