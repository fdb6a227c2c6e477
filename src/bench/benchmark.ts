import { monotonicMs } from "../platform/clock.ts";
import { ExitCode, SojournError } from "../platform/errors.ts";
import type { Bed } from "./bed.ts";
import { runCell } from "./engine.ts";
import { type MachineFacts, machineFacts } from "./machine.ts";
import type { BenchPlan } from "./options.ts";
import type { OutputFolder } from "./output-folder.ts";
import {
  type Cell,
  type CellGuest,
  type CellRecord,
  guestOf,
  type RunRecord,
  sameCell,
  sameGuest,
} from "./records.ts";
import { remainingMs } from "./remaining.ts";
import { loadUnder, type Strategy } from "./run.ts";
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
  openBed: (guest: CellGuest) => Promise<Bed>;
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
  readonly #deadlineMs: number;

  private constructor(options: BenchmarkOptions, state: BenchState) {
    this.#options = options;
    this.#state = state;
    const { budgetS } = options.plan;
    this.#deadlineMs = budgetS === null ? Infinity : monotonicMs() + budgetS * 1000;
    this.#toCome = options.cells.flatMap(() => this.#perCell);
  }

  /** What an earlier one has left in the folder before its end, on this machine, is not measured again. */
  static async prepare(options: BenchmarkOptions): Promise<Benchmark> {
    const { command, cells, plan, folder } = options;
    const started = new Date().toISOString();
    const machine = await machineFacts();
    const state: BenchState = { command, started, progress: "running", machine, cells: [] };
    const earlier = folder?.unfinished(machine) ?? [];
    state.cells = cells.map((cell) => recordOf(cell, plan, earlier));
    return new Benchmark(options, state);
  }

  /** All that were asked for, those that were not measured yet without runs. */
  get cells(): readonly CellRecord[] {
    return this.#state.cells;
  }

  get machine(): MachineFacts {
    return this.#state.machine;
  }

  /** Runs that are there. */
  get runs(): number {
    return this.#state.cells.reduce((sum, { runs }) => sum + runs.length, 0);
  }

  /**
   * Null when everything was measured; how far it came when the plan's time was spent before.
   * @throws SojournError `SOJ_BENCH_INTERRUPTED` (exit code 6) when the signal fired, `SOJ_BENCH_FAILING`, or what
   *   the bed throws. What was measured is in `cells` and in the folder; the beds are gone.
   */
  async run(): Promise<string | null> {
    const { signal } = this.#options;
    try {
      for (const cells of this.#unfinishedByGuest()) {
        if (!this.#hasTime()) break;
        await this.#measureGuest(cells);
      }
      const isComplete = this.runs === this.#toCome.length;
      this.#state.progress = isComplete ? "complete" : "interrupted";
      return isComplete ? null : `the time is spent ${this.#place()}`;
    } catch (error) {
      this.#state.progress = signal.aborted ? "interrupted" : "failed";
      throw signal.aborted ? this.#interrupted() : error;
    } finally {
      // Without a run there is nothing worth replacing earlier results with.
      if (this.runs > 0) this.#options.folder?.write(this.#state);
    }
  }

  get #perCell(): Strategy[] {
    const { strategies, rounds } = this.#options.plan;
    return scheduleRuns(strategies, rounds).map(({ strategy }) => strategy);
  }

  #hasTime(): boolean {
    return monotonicMs() < this.#deadlineMs;
  }

  /** Neighbours of one guest together, so that it is started once. */
  #unfinishedByGuest(): CellRecord[][] {
    const groups: CellRecord[][] = [];
    for (const cell of this.#state.cells) {
      if (cell.runs.length >= this.#perCell.length) continue;
      const last = groups.at(-1);
      if (last?.[0] !== undefined && sameGuest(last[0], cell)) last.push(cell);
      else groups.push([cell]);
    }
    return groups;
  }

  async #measureGuest(cells: readonly CellRecord[]): Promise<void> {
    const { plan, signal, openBed, observer } = this.#options;
    signal.throwIfAborted();
    await using bed = await openBed(guestOf(cells[0] as CellRecord));
    for (const cell of cells) {
      Object.assign(cell, bed.guest);
      await runCell({
        ...{ cell, rounds: plan.rounds, load: cell.load, signal },
        runnerOf: (strategy) => bed.runnerOf(strategy, cell),
        mayStart: () => this.#hasTime(),
        onStart: ({ strategy }) => this.#starting(strategy),
        onEnd: (run) => this.#ended(cell, run),
      });
      const corrupt = await bed.newlyCorruptPages().catch(() => null);
      if (corrupt !== null) cell.corrupt_pages = (cell.corrupt_pages ?? 0) + corrupt;
    }
    await bed.restore(signal).catch((error: Error) => {
      observer.say(`the guest is not back where it was: ${error.message}`);
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

  #ended(cell: CellRecord, run: RunRecord): void {
    const place = {
      cell: this.#state.cells.indexOf(cell) + 1,
      run: this.runs,
      runs: this.#toCome.length,
    };
    this.#options.observer.ended(run, place);
    this.#options.folder?.write(this.#state);
  }

  #interrupted(): SojournError {
    return new SojournError("SOJ_BENCH_INTERRUPTED", `interrupted ${this.#place()}`, {
      exitCode: ExitCode.cancelled,
      retryable: true,
    });
  }

  #place(): string {
    const { folder } = this.#options;
    const kept = folder === null || this.runs === 0 ? "" : `; the results are in ${folder.path}`;
    return `after ${this.runs} of ${this.#toCome.length} runs${kept}`;
  }
}

function recordOf(
  cell: Cell,
  { strategies, load }: BenchPlan,
  earlier: readonly CellRecord[],
): CellRecord {
  const record = { ...cell, strategies, load: loadUnder(cell.traffic, load) };
  const isSame = (one: CellRecord) =>
    sameCell(one, record) &&
    one.strategies.join() === record.strategies.join() &&
    one.load.join() === record.load.join();
  const { runs = [], corrupt_pages } = earlier.find(isSame) ?? {};
  return { ...record, ...(corrupt_pages === undefined ? {} : { corrupt_pages }), runs };
}
