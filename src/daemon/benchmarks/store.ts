import { existsSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { makeFolder, replaceFileDurably } from "../../platform/files.ts";
import type { Logger } from "../../platform/log.ts";
import { namePattern } from "../../platform/names.ts";
import type { ProcessIdentity } from "../../platform/process-identity.ts";
import { type BenchmarkStatus, benchmarkStatusSchema } from "./schemas.ts";

/** So many are kept; the oldest go first. */
const keptBenchmarks = 20;

const storedSchema = z.object({
  status: benchmarkStatusSchema,
  /** The process of one that runs: a later daemon must not start another beside it. */
  process: z.object({ pid: z.int(), startTicks: z.number() }).nullable(),
});

export interface StoredBenchmark {
  status: BenchmarkStatus;
  process: ProcessIdentity | null;
}

/** Benchmarks in the daemon's state folder, a folder each: `benchmark.json` beside what the benchmark itself writes. */
export class BenchmarkStore {
  readonly #folder: string;
  readonly #logger: Logger;

  constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /** Where the benchmark's own results go. */
  resultsFolder(id: string): string {
    return join(this.#folder, id, "results");
  }

  /** Newest first; what cannot be read is left out. */
  readAll(): StoredBenchmark[] {
    const ids = this.#names().filter((name) => namePattern.test(name));
    const stored = ids.flatMap((id) => this.#read(id) ?? []);
    return stored.sort((left, right) => right.status.started_ms - left.status.started_ms);
  }

  /** Durable when it returns. @throws the system's error. */
  async put({ status, process }: StoredBenchmark): Promise<void> {
    const folder = join(this.#folder, status.id);
    await makeFolder(folder);
    replaceFileDurably(this.#file(status.id), `${JSON.stringify({ status, process })}\n`);
  }

  /** Forgets all but the newest. @returns the ids of those that stay. */
  async prune(newestFirst: readonly BenchmarkStatus[]): Promise<Set<string>> {
    const kept = new Set(newestFirst.slice(0, keptBenchmarks).map(({ id }) => id));
    for (const { id } of newestFirst) {
      if (kept.has(id)) continue;
      await rm(join(this.#folder, id), { recursive: true, force: true }).catch((error: unknown) =>
        this.#logger.warn({ benchmark: id, err: error }, "an old benchmark cannot be removed"),
      );
    }
    return kept;
  }

  /** Earlier benchmarks are no reason for the daemon not to start. */
  #names(): string[] {
    try {
      return existsSync(this.#folder) ? readdirSync(this.#folder) : [];
    } catch (error) {
      this.#logger.warn({ folder: this.#folder, err: error }, "earlier benchmarks are not known");
      return [];
    }
  }

  #read(id: string): StoredBenchmark | null {
    try {
      const stored = storedSchema.parse(JSON.parse(readFileSync(this.#file(id), "utf8")));
      return stored.status.id === id ? stored : null;
    } catch (error) {
      this.#logger.warn({ benchmark: id, err: error }, "a stored benchmark cannot be read");
      return null;
    }
  }

  #file(id: string): string {
    return join(this.#folder, id, "benchmark.json");
  }
}
