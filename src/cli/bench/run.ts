import { resolve } from "node:path";
import { Benchmark, type BenchmarkOptions } from "../../bench/benchmark.ts";
import { cellsOf } from "../../bench/cells.ts";
import { openHostBed } from "../../bench/host-bed.ts";
import { openLabBed } from "../../bench/lab-bed.ts";
import { type BenchFlags, planBench } from "../../bench/options.ts";
import { OutputFolder } from "../../bench/output-folder.ts";
import { hopelessStrategies, summarizeCells } from "../../bench/summary.ts";
import { checkLabName } from "../../lab/layout.ts";
import { ExitCode, SojournError, usageError } from "../../platform/errors.ts";
import { createLogger } from "../../platform/log.ts";
import { checkName } from "../../platform/names.ts";
import { createOutput } from "../output.ts";
import { harmlessText } from "../render/terminal.ts";
import { describeSummary } from "./describe.ts";
import { createObserver } from "./observer.ts";

/** Where it is measured, and where the results go. */
export interface BenchRequest {
  out?: string;
  lab?: string;
  guest?: string;
  to?: string;
  json?: boolean;
}

/**
 * `sojourn bench`: measures, and prints the summary; of a benchmark that does not come to its end, what there is. Exit
 * code 4 when no run of a strategy completed.
 * @throws SojournError `SOJ_USAGE`, `SOJ_BENCH_OUT`, and as `Benchmark.run`.
 */
export async function runBench(flags: BenchFlags & BenchRequest): Promise<void> {
  const move = moveOf(flags);
  const plan = planBench(flags, { inLab: move === null });
  const lab = checkLabName(flags.lab ?? `bench${process.pid}`);
  const output = createOutput(flags.json ?? false);
  const observer = createObserver(output);
  using interruption = catchInterruption();
  const { signal } = interruption;
  const folder = flags.out === undefined ? null : await OutputFolder.open(resolve(flags.out));
  const logger = createLogger("warn");
  const say = (message: string) => observer.say(message);
  const openBed: BenchmarkOptions["openBed"] = (wanted) =>
    move === null
      ? openLabBed({ lab, plan, wanted, logger, signal, say })
      : openHostBed({ ...move, plan });
  const command = ["sojourn", ...process.argv.slice(2)].join(" ");
  const cells = cellsOf(plan);
  const benchmark = await Benchmark.prepare({
    plan,
    cells,
    openBed,
    folder,
    command,
    observer,
    signal,
  });
  const tell = (head: object) =>
    output.result({ ...head, ...summarizeCells(benchmark.cells) }, () =>
      describeSummary(benchmark.cells, benchmark.machine),
    );
  let unfinished: string | null;
  try {
    unfinished = await benchmark.run();
  } catch (error) {
    if (benchmark.runs > 0) tell({ type: "partial" });
    throw error;
  }
  if (folder !== null) say(`results: ${folder.path}`);
  if (unfinished !== null) say(unfinished);
  tell(unfinished === null ? {} : { type: "partial" });
  tellHopeless(hopelessStrategies(benchmark.cells));
}

/** On standard error, so that the summary stays the last line of the output. */
function tellHopeless(sentences: readonly string[]): void {
  if (sentences.length === 0) return;
  process.stderr.write(`${harmlessText(sentences.join("\n"))}\n`);
  process.exitCode = ExitCode.rolledBack;
}

/** The guest of `--guest` and where it goes; null for the lab. */
function moveOf({ guest, to, lab }: BenchRequest): { guest: string; to: string } | null {
  if (guest === undefined && to === undefined) return null;
  if (guest === undefined || to === undefined) {
    throw usageError("--guest and --to belong together", "sojourn bench --guest NAME --to HOST");
  }
  if (lab !== undefined) throw usageError("--lab and --guest exclude each other");
  return { guest: checkName("guest", guest), to: checkName("host", to) };
}

/** The first signal asks for an orderly end; later ones change nothing, cleaning up goes on. */
function catchInterruption(): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const reason = () =>
    new SojournError("SOJ_INTERRUPTED", "the benchmark was interrupted", {
      exitCode: ExitCode.cancelled,
    });
  const onSignal = () => controller.abort(reason());
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}
