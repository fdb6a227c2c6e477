import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { downLab, labNodePrefix, type UpOptions, upLab } from "../../src/lab/index.ts";
import type { MigrationReport } from "../../src/migrator/report.ts";
import { ExitCode, reasonOf } from "../../src/platform/errors.ts";

/** A lab in which guests are moved between host-a and host-b. */
export interface MovingLab {
  name: string;
  /** Fires when this program is told to end. */
  signal: AbortSignal;
}

/**
 * Does work in a lab that is taken down afterwards, also after Ctrl-C. What fails is told on standard error and becomes
 * the exit code.
 * @param program its name, for people.
 * @param wish what lab; by default one of two hosts.
 */
export async function inLab(
  program: string,
  name: string,
  work: (lab: MovingLab) => Promise<void>,
  wish: Omit<UpOptions, "lab" | "signal" | "onProgress"> = { hosts: 2 },
): Promise<void> {
  const { signal } = interruption();
  const onProgress = (_step: unknown, message: string) =>
    void process.stderr.write(`lab: ${message}\n`);
  try {
    await upLab({ lab: name, ...wish, signal, onProgress });
    await work({ name, signal });
  } catch (error) {
    const reason = signal.aborted ? signal.reason : error;
    process.stderr.write(`${program}: ${reasonOf(reason)}\n`);
    process.exitCode = signal.aborted ? ExitCode.cancelled : ExitCode.internal;
  } finally {
    await downLab(name);
  }
}

/**
 * One move of web1, driven and measured as a user would do it.
 * @param options of `sojourn migrate`.
 * @throws Error unless it completes.
 */
export async function migrate(
  { name, signal }: MovingLab,
  from: string,
  to: string,
  options: readonly string[],
): Promise<MigrationReport> {
  const move = ["sojourn", "migrate", "web1", "--to", to, "--json", ...options];
  const [program, ...args] = [...labNodePrefix(name, from), ...move];
  signal.throwIfAborted();
  const child = spawn(program as string, args, { stdio: ["ignore", "pipe", "inherit"], signal });
  const [output] = await Promise.all([text(child.stdout), once(child, "close")]);
  const last = JSON.parse(output.trim().split("\n").at(-1) ?? "null");
  if (last?.type === "report" && last.outcome === "completed") return last as MigrationReport;
  throw new Error(`${from} to ${to}: ${last?.message ?? last?.outcome ?? "no report"}`);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function interruption(): AbortController {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => controller.abort(new Error(`interrupted by ${signal}`)));
  }
  return controller;
}
