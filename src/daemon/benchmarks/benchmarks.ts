import { randomBytes } from "node:crypto";
import { wallClockMs } from "../../platform/clock.ts";
import { asSojournError, ExitCode, preconditionError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { isSameProcess, type ProcessIdentity } from "../../platform/process-identity.ts";
import { untilCalm } from "../inventory/calm-reader.ts";
import type { GuestSummary } from "../services.ts";
import { argumentsOf } from "./arguments.ts";
import { readBenchmarkLine } from "./lines.ts";
import { type BenchmarkExit, BenchmarkProcess } from "./process.ts";
import {
  type BenchmarkServices,
  type BenchmarkStatus,
  benchmarkBody,
  benchmarkVariable,
  type CheckedBenchmark,
} from "./schemas.ts";
import { BenchmarkStore } from "./store.ts";

export interface BenchmarksOptions {
  /** Of the daemon's state: benchmarks are kept there. */
  folder: string;
  hostName: string;
  peers: ReadonlySet<string>;
  /** Runs `sojourn` against this daemon. */
  command: { line: readonly string[]; env: Readonly<Record<string, string>> };
  showGuest: (name: string) => Promise<GuestSummary>;
  isGuestStanding: () => boolean;
  logger: Logger;
}

interface Running {
  id: string;
  process: BenchmarkProcess;
  /** Resolves when its end is stored. */
  done: Promise<void>;
}

/**
 * Benchmarks with guests of this host: `sojourn bench --guest …` in a process of its own, one at a time. They end with
 * the daemon; one that a crash ended is `failed`.
 */
export class Benchmarks implements AsyncDisposable {
  readonly #options: BenchmarksOptions;
  readonly #store: BenchmarkStore;
  /** Newest first. */
  #known: BenchmarkStatus[] = [];
  #running: Running | null = null;
  #isStarting = false;
  #isDisposed = false;
  /** One that an earlier daemon left, and that may not have ended yet. */
  readonly #left: ProcessIdentity[] = [];

  private constructor(options: BenchmarksOptions, store: BenchmarkStore) {
    this.#options = options;
    this.#store = store;
  }

  /** Notes that those have failed which an earlier daemon left running. */
  static async open(options: BenchmarksOptions): Promise<Benchmarks> {
    const store = new BenchmarkStore(options.folder, options.logger);
    const benchmarks = new Benchmarks(options, store);
    for (const { status, process } of store.readAll()) {
      benchmarks.#known.push(status);
      if (process !== null) benchmarks.#left.push(process);
      if (status.ended_ms !== null) continue;
      await benchmarks.#conclude(status.id, "failed", abandoned, process);
    }
    return benchmarks;
  }

  get services(): BenchmarkServices {
    return {
      startBenchmark: (request) => this.#begin(benchmarkBody.parse(request)),
      listBenchmarks: async () => [...this.#known],
      getBenchmark: async (id) => this.#get(id),
      cancelBenchmark: async (id) => this.#cancel(id),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#running?.process.stop();
    await this.#running?.done;
  }

  async #begin(checked: CheckedBenchmark): Promise<BenchmarkStatus> {
    this.#refuseSecond();
    this.#isStarting = true;
    try {
      await this.#checkGuest(checked);
      await untilCalm(this.#options.isGuestStanding);
      return await this.#start(checked);
    } finally {
      this.#isStarting = false;
    }
  }

  /** @throws SojournError `SOJ_BENCHMARK_UNKNOWN`. */
  #get(id: string): BenchmarkStatus {
    const found = this.#known.find((status) => status.id === id);
    if (found !== undefined) return found;
    const text = `there is no benchmark ${id} on ${this.#options.hostName}`;
    throw preconditionError("SOJ_BENCHMARK_UNKNOWN", text, { httpStatus: 404 });
  }

  #cancel(id: string): BenchmarkStatus {
    const status = this.#get(id);
    if (this.#running?.id !== id || status.ended_ms !== null) {
      throw preconditionError("SOJ_TOO_LATE", `benchmark ${id} has ended: ${status.state}`);
    }
    this.#note(id, { state: "cancelling" });
    this.#running.process.stop();
    return this.#get(id);
  }

  #refuseSecond(): void {
    const isLeft = this.#left.some(isSameProcess);
    if (this.#running === null && !this.#isStarting && !isLeft && !this.#isDisposed) return;
    const id = this.#running?.id;
    throw preconditionError(
      "SOJ_BENCHMARK_RUNNING",
      id === undefined
        ? `a benchmark of ${this.#options.hostName} is just beginning or ending`
        : `benchmark ${id} runs on ${this.#options.hostName}: one at a time`,
      { retryable: true, hint: "wait for its end, or cancel it" },
    );
  }

  /** Only a guest's home measures with it, and only once at a time: so no guest has two. */
  async #checkGuest({ guest, to }: CheckedBenchmark): Promise<void> {
    const { hostName, peers, showGuest } = this.#options;
    if (!peers.has(to)) {
      throw preconditionError("SOJ_HOST_UNKNOWN", `${hostName} has no peer ${to}`, {
        httpStatus: 404,
        hint: `peers: ${[...peers].join(", ") || "none"}`,
      });
    }
    const { state, host, home, migration } = await showGuest(guest);
    if (state !== "running" || host !== hostName || home !== hostName) {
      throw preconditionError("SOJ_BENCH_GUEST", `${guest} does not run on ${hostName}, its home`, {
        hint: "ask the guest's home, while the guest is there",
      });
    }
    if (migration !== null) {
      const options = { migration, hint: `sojourn watch ${migration}` };
      throw preconditionError(
        "SOJ_GUEST_BUSY",
        `${guest} is being migrated (${migration})`,
        options,
      );
    }
  }

  async #start(checked: CheckedBenchmark): Promise<BenchmarkStatus> {
    const id = `b${randomBytes(6).toString("hex")}`;
    const folder = this.#store.resultsFolder(id);
    const status: BenchmarkStatus = {
      ...{ id, ...checked, state: "running", started_ms: Math.round(wallClockMs()) },
      ...{ ended_ms: null, progress: null, error: null, result: null, folder },
    };
    // Before the process: what cannot be remembered is not begun.
    await this.#store.put({ status, process: null });
    this.#known.unshift(status);
    const process = await this.#launch(status);
    const kept = this.#keep(status, process.identity);
    const done = kept.then(() => process.ended).then((exit) => this.#end(id, exit));
    this.#running = { id, process, done };
    await kept;
    this.#options.logger.info({ benchmark: id, ...checked }, "benchmark begun");
    return this.#get(id);
  }

  /** What cannot be launched has failed. */
  async #launch(status: BenchmarkStatus): Promise<BenchmarkProcess> {
    const { id, folder } = status;
    const { line, env } = this.#options.command;
    try {
      // The daemon may have begun to end while this was written down.
      if (this.#isDisposed) this.#refuseSecond();
      return new BenchmarkProcess({
        commandLine: [...line, ...argumentsOf(status, folder)],
        env: { ...env, [benchmarkVariable]: id },
        onLine: (told) => this.#note(id, readBenchmarkLine(told) ?? {}),
      });
    } catch (error) {
      const { code, message, hint } = asSojournError(error);
      await this.#conclude(id, "failed", { code, message, hint });
      throw error;
    }
  }

  async #end(id: string, exit: BenchmarkExit): Promise<void> {
    const { state: before, error, result } = this.#get(id);
    const completed = exit.exitCode === ExitCode.done && result !== null;
    const state = completed ? "completed" : before === "cancelling" ? "cancelled" : "failed";
    await untilCalm(this.#options.isGuestStanding).catch(() => {});
    await this.#conclude(id, state, completed ? null : (error ?? unexplained(exit)));
    this.#running = null;
    const kept = await this.#store.prune(this.#known);
    this.#known = this.#known.filter((status) => kept.has(status.id));
    this.#options.logger.info({ benchmark: id, state, exit }, "benchmark ended");
  }

  /** Its end is on the disk before it is told. */
  async #conclude(
    id: string,
    state: BenchmarkStatus["state"],
    error: BenchmarkStatus["error"],
    process: ProcessIdentity | null = null,
  ): Promise<void> {
    const end = { state, error, ended_ms: Math.round(wallClockMs()) };
    await this.#keep({ ...this.#get(id), ...end }, process);
    this.#note(id, end);
  }

  async #keep(status: BenchmarkStatus, process: ProcessIdentity | null): Promise<void> {
    try {
      await this.#store.put({ status, process });
    } catch (error) {
      const { id: benchmark } = status;
      this.#options.logger.error({ benchmark, err: error }, "the benchmark cannot be stored");
    }
  }

  #note(id: string, change: Partial<BenchmarkStatus>): void {
    this.#known = this.#known.map((status) =>
      status.id === id ? { ...status, ...change } : status,
    );
  }
}

const abandoned: BenchmarkStatus["error"] = {
  code: "SOJ_BENCHMARK_ABANDONED",
  message: "the daemon ended while the benchmark ran",
  hint: "begin it again",
};

function unexplained({ exitCode, said }: BenchmarkExit): NonNullable<BenchmarkStatus["error"]> {
  const how = exitCode === null ? "was ended" : `ended with exit code ${exitCode}`;
  const message = `the benchmark ${how}${said === "" ? "" : `: ${said.slice(-600)}`}`;
  return { code: "SOJ_BENCHMARK_FAILED", message, hint: "see the daemon's log" };
}
