import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { MigrationReport, TimelineEntry } from "../migrator/report.ts";
import { type ErrorRecord, ExitCode, SojournError } from "../platform/errors.ts";
import type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
import type { RunResult } from "./run.ts";

export interface MigrateCommand {
  /** Program and what stands before `migrate`. */
  commandLine: readonly string[];
  args: readonly string[];
  timeoutMs: number;
  signal: AbortSignal;
}

/** How long a child that is told to end may take; its probers end with it. */
const graceMs = 10_000;
const maxSaidChars = 4_000;

/**
 * One move, driven and measured as a user would do it: `sojourn migrate … --json` in a process of its own.
 * @throws SojournError what it reports instead of a completed migration, `SOJ_BENCH_RUN` when it says nothing or
 *   takes too long; the signal's reason, after the child has ended.
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
  if (timedOut) throw failed(`no end within ${command.timeoutMs} ms`);
  return lines.result(said);
}

/** The lines of `sojourn migrate --json` that a run is made of. */
export class MigrateLines {
  #throughput: ThroughputTimeline | null = null;
  #last: MigrationReport | ErrorRecord | null = null;

  see(line: string): void {
    const value = parse(line);
    if (value?.type === "report" || value?.type === "error") {
      this.#last = value as unknown as MigrationReport | ErrorRecord;
    }
    if (value?.type === "throughput") {
      const { start_ms, step_ms, mbps } = value as unknown as ThroughputTimeline;
      this.#throughput = { start_ms, step_ms, mbps };
    }
  }

  /** @throws SojournError the one that was reported, or `SOJ_BENCH_RUN`. */
  result(said = ""): RunResult {
    const last = this.#last;
    if (last === null) throw failed(said.trim() === "" ? "no report" : said.trim().slice(-600));
    if (last.type === "error") throw SojournError.fromRecord(last, 500);
    if (last.outcome !== "completed") throw failed(`the migration ended ${last.outcome}`);
    return {
      blackoutMs: last.blackout_ms,
      controlMs: controlMsOf(last.timeline),
      totalMs: last.total_ms,
      probes: last.probes,
      timeline: last.timeline,
      throughput: this.#throughput,
    };
  }
}

/** From QEMU's pre-switchover to the word that it go on; null where either moment is not told. */
export function controlMsOf(timeline: readonly { phase: string; at_ms: number }[]): number | null {
  const timeOf = (phase: string) => timeline.find((entry) => entry.phase === phase)?.at_ms;
  const [from, to] = [
    timeOf("pre-switchover"),
    timeOf("continue" satisfies TimelineEntry["phase"]),
  ];
  return from === undefined || to === undefined ? null : Math.round((to - from) * 100) / 100;
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

function parse(line: string): { type?: unknown } | null {
  try {
    return JSON.parse(line) as { type?: unknown };
  } catch {
    return null;
  }
}

function failed(reason: string): SojournError {
  return new SojournError("SOJ_BENCH_RUN", `sojourn migrate: ${reason}`, {
    exitCode: ExitCode.internal,
    guestState: "unknown",
  });
}
