import { z } from "zod";
import { strategyNames } from "../../migrator/strategy.ts";
import { namePattern } from "../../platform/names.ts";
import { tunnelKinds } from "../../tunnels/tunnel.ts";

const name = z.string().regex(namePattern);
const figure = z.number().nullable();

/** What measures during a run. */
export const benchmarkLoads = ["echo", "stream", "http", "packet"] as const;

/** So many runs are kept of each strategy at most; a file of results stays readable. */
const mostRuns = 200;

/** Body of `POST /v1/benchmarks`: a guest of this host, moved to another one and back. */
export const benchmarkBody = z
  .strictObject({
    guest: name,
    to: name,
    strategies: unique(z.enum(strategyNames)).default(["lossless"]),
    runs: z.int().min(1).max(mostRuns).default(10).describe("Of each strategy"),
    load: unique(z.enum(benchmarkLoads)).default(["echo", "stream"]),
    tunnel: z.enum(["auto", ...tunnelKinds]).default("auto"),
  })
  .meta({ id: "BenchmarkRequest", examples: [{ guest: "web1", to: "host-b", runs: 3 }] });

export type BenchmarkRequest = z.input<typeof benchmarkBody>;
export type CheckedBenchmark = z.output<typeof benchmarkBody>;

const statistics = z.object({ median: figure, p95: figure, max: figure });

/** The summary that `sojourn bench --json` ends with; times in milliseconds. */
export const benchmarkResultSchema = z.object({
  strategies: z.record(
    z.string(),
    z.object({
      runs: z.int(),
      failed: z.int(),
      tcp_echo_outage_ms: statistics,
      tcp_stream_outage_ms: statistics,
      blackout_ms: statistics,
      control_ms: statistics,
      packets_lost: figure,
      packets_reordered: figure,
      packets_duplicated: figure,
      rto: figure,
      sessions_broken: figure,
    }),
  ),
  ratios: z
    .record(z.string(), z.object({ tcp_echo: figure, tcp_stream: figure }))
    .describe("By `A/B`: medians divided by medians"),
});

export type BenchmarkResult = z.output<typeof benchmarkResultSchema>;

/** What the child tells of where it is. */
export const benchmarkProgressSchema = z.object({
  run: z.int().nonnegative().describe("From 1"),
  runs: z.int().nonnegative(),
  strategy: z.string(),
  remaining_ms: figure,
});

export type BenchmarkProgress = z.output<typeof benchmarkProgressSchema>;

export const benchmarkErrorSchema = z.object({
  code: z.string().max(64),
  message: z.string(),
  hint: z.string().nullable(),
});

/** A benchmark that this host runs or has run. */
export const benchmarkStatusSchema = z
  .object({
    id: z.string(),
    ...benchmarkBody.shape,
    state: z.enum(["running", "cancelling", "completed", "failed", "cancelled"]),
    started_ms: z.number().describe("Milliseconds since 1970"),
    ended_ms: z.number().nullable(),
    progress: benchmarkProgressSchema
      .nullable()
      .describe("The run under way, or the last one; null before the first"),
    error: benchmarkErrorSchema.nullable().describe("Why it did not complete; null otherwise"),
    result: benchmarkResultSchema
      .nullable()
      .describe("Also of one that did not complete, if any run did; null while it runs"),
    folder: z
      .string()
      .describe("On this host: results.json, runs.csv and report.html, after the first run"),
  })
  .meta({ id: "Benchmark" });

export type BenchmarkStatus = z.output<typeof benchmarkStatusSchema>;

/** Tells a benchmark of the daemon's its own id, in its environment. */
export const benchmarkVariable = "SOJOURN_BENCHMARK";

/** Benchmarks with a guest of this host, one at a time. */
export interface BenchmarkServices {
  /**
   * @throws SojournError `SOJ_BENCHMARK_RUNNING` while another one runs here, `SOJ_BENCH_GUEST` unless the guest runs
   *   at its home, this host, `SOJ_GUEST_BUSY`, `SOJ_GUEST_UNKNOWN`, `SOJ_HOST_UNKNOWN`.
   */
  startBenchmark(request: BenchmarkRequest): Promise<BenchmarkStatus>;
  /** Newest first. */
  listBenchmarks(): Promise<BenchmarkStatus[]>;
  /** @throws SojournError `SOJ_BENCHMARK_UNKNOWN` (404). */
  getBenchmark(id: string): Promise<BenchmarkStatus>;
  /** Asks it to end; the guest stays on the host where it is. @throws SojournError also `SOJ_TOO_LATE`. */
  cancelBenchmark(id: string): Promise<BenchmarkStatus>;
}

function unique<const Values extends z.ZodType>(value: Values) {
  return z
    .array(value)
    .min(1)
    .max(8)
    .refine((all) => new Set(all).size === all.length, "names something twice")
    .meta({ uniqueItems: true });
}
