import { randomBytes } from "node:crypto";
import { wallClockMs } from "../../platform/clock.ts";
import { ExitCode, preconditionError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { isSameProcess, type ProcessIdentity } from "../../platform/process-identity.ts";
import { untilCalm } from "../inventory/calm-reader.ts";
import type { GuestSummary } from "../services.ts";
import { readBenchmarkLine } from "./lines.ts";
import { type BenchmarkExit, BenchmarkProcess } from "./process.ts";
import {
  type BenchmarkServices,
  type BenchmarkStatus,
  benchmarkBody,
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
      if (status.ended_ms !== null) continue;
      if (process !== null) benchmarks.#left.push(process);
      benchmarks.#note(status.id, abandoned());
      await benchmarks.#keep(status.id, process);
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
    const { line, env } = this.#options.command;
    const process = new BenchmarkProcess({
      commandLine: [...line, ...argumentsOf(checked, folder)],
      env,
      onLine: (line) => this.#note(id, readBenchmarkLine(line) ?? {}),
    });
    const done = process.ended.then((exit) => this.#end(id, exit));
    this.#running = { id, process, done };
    await this.#keep(id, process.identity);
    this.#options.logger.info({ benchmark: id, ...checked }, "benchmark begun");
    return this.#get(id);
  }

  async #end(id: string, exit: BenchmarkExit): Promise<void> {
    const { state: before, error, result } = this.#get(id);
    const completed = exit.exitCode === ExitCode.done && result !== null;
    const state = completed ? "completed" : before === "cancelling" ? "cancelled" : "failed";
    this.#note(id, {
      ...{ state, ended_ms: Math.round(wallClockMs()) },
      error: completed ? null : (error ?? unexplained(exit)),
    });
    this.#running = null;
    await untilCalm(this.#options.isGuestStanding).catch(() => {});
    await this.#keep(id, null);
    const kept = await this.#store.prune(this.#known);
    this.#known = this.#known.filter((status) => kept.has(status.id));
    this.#options.logger.info({ benchmark: id, state, exit }, "benchmark ended");
  }

  async #keep(id: string, process: ProcessIdentity | null): Promise<void> {
    try {
      await this.#store.put({ status: this.#get(id), process });
    } catch (error) {
      this.#options.logger.error({ benchmark: id, err: error }, "the benchmark cannot be stored");
    }
  }

  #note(id: string, change: Partial<BenchmarkStatus>): void {
    this.#known = this.#known.map((status) =>
      status.id === id ? { ...status, ...change } : status,
    );
  }
}

function argumentsOf(checked: CheckedBenchmark, folder: string): string[] {
  const { guest, to, strategies, runs, load, tunnel } = checked;
  return [
    ...["bench", "--guest", guest, "--to", to, "--strategies", strategies.join(",")],
    ...["--runs", `${runs}`, "--load", load.join(","), "--tunnel", tunnel],
    ...["--out", folder, "--json"],
  ];
}

function abandoned(): Partial<BenchmarkStatus> {
  const message = "the daemon ended while the benchmark ran";
  return {
    ...{ state: "failed", ended_ms: Math.round(wallClockMs()) },
    error: { code: "SOJ_BENCHMARK_ABANDONED", message, hint: "begin it again" },
  };
}

function unexplained({ exitCode, said }: BenchmarkExit): NonNullable<BenchmarkStatus["error"]> {
  const how = exitCode === null ? "was ended" : `ended with exit code ${exitCode}`;
  const message = `the benchmark ${how}${said === "" ? "" : `: ${said.slice(-600)}`}`;
  return { code: "SOJ_BENCHMARK_FAILED", message, hint: "see the daemon's log" };
}
