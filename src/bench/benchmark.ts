import { ExitCode, SojournError } from "../platform/errors.ts";
import type { Bed } from "./bed.ts";
import { runCell } from "./engine.ts";
import { machineFacts } from "./machine.ts";
import type { BenchPlan } from "./options.ts";
import type { OutputFolder } from "./output-folder.ts";
import type { Cell, CellRecord, RunRecord } from "./records.ts";
import { remainingMs } from "./remaining.ts";
import type { Strategy } from "./run.ts";
import { scheduleRuns } from "./schedule.ts";
import type { BenchState } from "./state.ts";

/** What is told while a benchmark runs. Runs are counted over all cells. */
export interface BenchObserver {
  say(message: string): void;
  starting(progress: {
    run: number;
    runs: number;
    strategy: Strategy;
    remaining_ms: number | null;
  }): void;
  ended(run: RunRecord, place: { cell: number; run: number; runs: number }): void;
}

export interface BenchmarkOptions {
  plan: BenchPlan;
  cells: readonly Cell[];
  openBed: (cell: Cell) => Promise<Bed>;
  folder: OutputFolder | null;
  command: string;
  observer: BenchObserver;
  signal: AbortSignal;
}

/** Measures all cells, one after the other, and keeps what it has whatever happens. */
export class Benchmark {
  readonly #options: BenchmarkOptions;
  readonly #state: BenchState;
  readonly #toCome: Strategy[];

  private constructor(options: BenchmarkOptions, state: BenchState) {
    this.#options = options;
    this.#state = state;
    const { strategies, rounds } = options.plan;
    const perCell = scheduleRuns(strategies, rounds).map(({ strategy }) => strategy);
    this.#toCome = options.cells.flatMap(() => perCell);
  }

  static async prepare(options: BenchmarkOptions): Promise<Benchmark> {
    const { command } = options;
    const started = new Date().toISOString();
    const machine = await machineFacts();
    return new Benchmark(options, { command, started, progress: "running", machine, cells: [] });
  }

  /** What was measured so far. */
  get cells(): readonly CellRecord[] {
    return this.#state.cells;
  }

  /**
   * @throws SojournError `SOJ_BENCH_INTERRUPTED` (exit code 6) when the signal fired, `SOJ_BENCH_FAILING`, or what
   *   the bed throws. What was measured is in `cells` and in the folder; the beds are gone.
   */
  async run(): Promise<void> {
    const { signal } = this.#options;
    try {
      for (const cell of this.#options.cells) await this.#measure(cell);
      this.#state.progress = "complete";
    } catch (error) {
      this.#state.progress = signal.aborted ? "interrupted" : "failed";
      throw signal.aborted ? this.#interrupted() : error;
    } finally {
      // Without a run there is nothing worth replacing earlier results with.
      if (this.#runs > 0) this.#options.folder?.write(this.#state);
    }
  }

  get #runs(): number {
    return this.#state.cells.reduce((sum, { runs }) => sum + runs.length, 0);
  }

  async #measure(wanted: Cell): Promise<void> {
    const { plan, signal, openBed } = this.#options;
    signal.throwIfAborted();
    await using bed = await openBed(wanted);
    const { strategies, load, rounds } = plan;
    const cell: CellRecord = { ...bed.cell, strategies, load, runs: [] };
    this.#state.cells.push(cell);
    await runCell({
      ...{ cell, rounds, load, signal },
      runnerOf: (strategy) => bed.runnerOf(strategy),
      onStart: ({ strategy }) => this.#starting(strategy),
      onEnd: (run) => this.#ended(run),
    });
    await bed.restore(signal).catch((error: Error) => {
      this.#options.observer.say(`the guest is not back where it was: ${error.message}`);
    });
  }

  #starting(strategy: Strategy): void {
    const done = this.#state.cells.flatMap(({ runs }) => runs);
    const toCome = this.#toCome.slice(done.length);
    this.#options.observer.starting({
      run: done.length + 1,
      runs: this.#toCome.length,
      strategy,
      remaining_ms: remainingMs(done, toCome),
    });
  }

  #ended(run: RunRecord): void {
    const place = {
      cell: this.#state.cells.length,
      run: this.#runs,
      runs: this.#toCome.length,
    };
    this.#options.observer.ended(run, place);
    this.#options.folder?.write(this.#state);
  }

  #interrupted(): SojournError {
    const { folder } = this.#options;
    const kept = folder === null || this.#runs === 0 ? "" : `; the results are in ${folder.path}`;
    return new SojournError(
      "SOJ_BENCH_INTERRUPTED",
      `interrupted after ${this.#runs} of ${this.#toCome.length} runs${kept}`,
      { exitCode: ExitCode.cancelled, retryable: true },
    );
  }
}
