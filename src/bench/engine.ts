import { monotonicMs } from "../platform/clock.ts";
import { asSojournError, SojournError } from "../platform/errors.ts";
import { figuresOf } from "./figures.ts";
import { MoveFailed, wasTooBusy } from "./move-facts.ts";
import type { CellRecord, RunRecord } from "./records.ts";
import type { Load, Runner, RunResult, Strategy } from "./run.ts";
import { type ScheduledRun, scheduleRuns } from "./schedule.ts";
import { medianOf } from "./statistics.ts";

/** So many failures of one strategy in a row are no accident. */
const maxFailuresInARow = 3;

export interface EngineOptions {
  cell: CellRecord;
  rounds: number;
  load: readonly Load[];
  runnerOf: (strategy: Strategy) => Promise<Runner>;
  onStart: (run: ScheduledRun, number: number) => void;
  /** Asked before each run; nothing more is started once it says no. */
  mayStart: () => boolean;
  /** Called when the record is in `cell.runs`. */
  onEnd: (run: RunRecord) => void;
  signal: AbortSignal;
}

/**
 * Measures one cell, interleaved, and puts each run into `cell.runs` as it ends, after those that it has already. A
 * failed run is kept as failed.
 * @throws SojournError `SOJ_BENCH_FAILING` after three failures of one strategy in a row; the signal's reason.
 */
export async function runCell(options: EngineOptions): Promise<void> {
  const { cell, signal } = options;
  const schedule = scheduleRuns(cell.strategies, options.rounds);
  for (const [index, scheduled] of schedule.entries()) {
    signal.throwIfAborted();
    if (index < cell.runs.length) continue;
    if (!options.mayStart()) return;
    options.onStart(scheduled, index + 1);
    const record = await runOnce(options, scheduled, index + 1);
    cell.runs.push(record);
    options.onEnd(record);
    refuseToGoOn(cell.runs, record);
  }
}

async function runOnce(
  { cell, load, runnerOf, signal }: EngineOptions,
  { round, strategy }: ScheduledRun,
  run: number,
): Promise<RunRecord> {
  const startMs = monotonicMs();
  const took = () => Math.round(monotonicMs() - startMs);
  const base = { run, round, strategy };
  try {
    const pauseMs = strategy === "pause" ? pauseFor(cell.runs, round) : 0;
    const runner = await runnerOf(strategy);
    const result: RunResult = await runner.run({ strategy, load, pauseMs }, signal);
    const { move, timeline, throughput } = result;
    return {
      ...base,
      took_ms: took(),
      failed: null,
      figures: figuresOf(result),
      move,
      timeline,
      throughput,
    };
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = asSojournError(error);
    const failed = `${message.slice(0, 600)} [${code}]`;
    const move = error instanceof MoveFailed ? error.move : null;
    const nothing = { figures: null, timeline: [], throughput: null };
    return { ...base, took_ms: took(), failed, move, ...nothing };
  }
}

/**
 * How long `pause` stops the guest in a round: as `lossless` did in it, else in the round before, else the median of
 * all until then. Pure.
 * @throws SojournError `SOJ_BENCH_NO_BLACKOUT` when no lossless run has one.
 */
export function pauseFor(runs: readonly RunRecord[], round: number): number {
  const blackouts = runs.filter((run) => run.strategy === "lossless");
  const ofRound = (wanted: number) =>
    blackouts.find((run) => run.round === wanted)?.figures?.blackout_ms ?? null;
  const median = () => medianOf(blackouts.map((run) => run.figures?.blackout_ms ?? null));
  const pauseMs = ofRound(round) ?? ofRound(round - 1) ?? median();
  if (pauseMs !== null) return pauseMs;
  throw new SojournError("SOJ_BENCH_NO_BLACKOUT", "no lossless run has told how long to pause", {
    hint: "see why the lossless runs failed",
  });
}

function refuseToGoOn(runs: readonly RunRecord[], { strategy, failed }: RunRecord): void {
  const last = runs.filter((run) => run.strategy === strategy).slice(-maxFailuresInARow);
  if (last.length < maxFailuresInARow || !last.every(isFailure)) return;
  throw new SojournError(
    "SOJ_BENCH_FAILING",
    `${strategy} failed ${maxFailuresInARow} times in a row; the last time: ${failed}`,
    { hint: "the runs until here are kept; leave the strategy out to measure the others" },
  );
}

function isFailure({ failed, move }: RunRecord): boolean {
  return failed !== null && !wasTooBusy(move);
}
