import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loads } from "../../../../src/bench/run.ts";
import { Benchmarks } from "../../../../src/daemon/benchmarks/benchmarks.ts";
import { readBenchmarkLine } from "../../../../src/daemon/benchmarks/lines.ts";
import {
  type BenchmarkStatus,
  benchmarkLoads,
  benchmarkResultSchema,
} from "../../../../src/daemon/benchmarks/schemas.ts";
import type { GuestSummary } from "../../../../src/daemon/services.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { identifyProcess } from "../../../../src/platform/process-identity.ts";
import { guest } from "../../../support/fake-services.ts";
import { temporaryFolder } from "../../migrator/support.ts";

/** Stands for `sojourn bench`: what it prints, and how it ends, depends on the guest's name. */
const program = join(import.meta.dirname, "..", "..", "..", "support", "programs", "benchmark.ts");

let folder: ReturnType<typeof temporaryFolder>;
let stack: AsyncDisposableStack;
let known: GuestSummary;

beforeEach(() => {
  stack = new AsyncDisposableStack();
  folder = stack.use(temporaryFolder());
  known = guest;
});
afterEach(() => stack.disposeAsync());

async function open(): Promise<Benchmarks> {
  const benchmarks = await Benchmarks.open({
    folder: join(folder.path, "benchmarks"),
    hostName: "host-a",
    peers: new Set(["host-b"]),
    command: { line: [process.execPath, program], env: {} },
    showGuest: async (name) => ({ ...known, name }),
    isGuestStanding: () => false,
    logger: createLogger("silent"),
  });
  return stack.use(benchmarks);
}

describe("a benchmark", () => {
  it("runs as the command would, tells its progress, and ends with its summary", async () => {
    const { services } = await open();
    const wanted = { guest: "web1", to: "host-b", runs: 2, strategies: ["lossless", "flip"] };
    const begun = await services.startBenchmark(wanted as never);
    expect(begun).toMatchObject({ ...wanted, state: "running", ended_ms: null, result: null });
    const ended = await untilEnded(services, begun.id);
    expect(ended).toMatchObject({
      ...{ state: "completed", error: null, progress: { run: 2, runs: 2, strategy: "flip" } },
      result: { strategies: { lossless: { runs: 2, blackout_ms: { median: 24.1 } } }, ratios: {} },
    });
    const ran = JSON.parse(readFileSync(join(begun.folder, "arguments.json"), "utf8")) as string[];
    expect(ran.join(" ")).toBe(
      `bench --guest web1 --to host-b --strategies lossless,flip --runs 2 --load echo,stream --tunnel auto --out ${begun.folder} --json`,
    );
    expect(await services.listBenchmarks()).toEqual([ended]);
    expect((await (await open()).services.listBenchmarks())[0]).toEqual(ended);
  });

  it("that fails says why", async () => {
    const { services } = await open();
    const told = await services.startBenchmark({ guest: "fails", to: "host-b" });
    expect(await untilEnded(services, told.id)).toMatchObject({
      ...{ state: "failed", error: { code: "SOJ_BENCH_FAILING", message: "no" } },
      result: { strategies: { lossless: { failed: 3 } } },
    });
    const silent = await services.startBenchmark({ guest: "breaks", to: "host-b" });
    expect(await untilEnded(services, silent.id)).toMatchObject({
      ...{ state: "failed", result: null },
      error: { code: "SOJ_BENCHMARK_FAILED", message: expect.stringContaining("out of order") },
    });
    const loud = await services.startBenchmark({ guest: "babbles", to: "host-b" });
    expect(await untilEnded(services, loud.id)).toMatchObject({ state: "failed", result: null });
  });

  it("is the only one of its host, can be cancelled, and then no more", async () => {
    const { services } = await open();
    const begun = await services.startBenchmark({ guest: "lasts", to: "host-b" });
    await expect(services.startBenchmark({ guest: "web1", to: "host-b" })).rejects.toMatchObject({
      ...{ code: "SOJ_BENCHMARK_RUNNING", retryable: true },
    });
    await untilProgress(services, begun.id);
    expect(await services.cancelBenchmark(begun.id)).toMatchObject({ state: "cancelling" });
    expect(await untilEnded(services, begun.id)).toMatchObject({
      ...{ state: "cancelled", error: { code: "SOJ_BENCH_INTERRUPTED" } },
    });
    await expect(services.cancelBenchmark(begun.id)).rejects.toMatchObject({
      code: "SOJ_TOO_LATE",
    });
    await expect(services.getBenchmark("b-none")).rejects.toMatchObject({
      ...{ code: "SOJ_BENCHMARK_UNKNOWN", httpStatus: 404 },
    });
  });

  it("of two that are asked for at once, one begins", async () => {
    const { services } = await open();
    const both = [1, 2].map(() => services.startBenchmark({ guest: "lasts", to: "host-b" }));
    const results = await Promise.allSettled(both);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("needs a guest that runs at its home, here, and that no migration has", async () => {
    const { services } = await open();
    const codeOf = (to = "host-b") =>
      services.startBenchmark({ guest: "web1", to }).catch(({ code }: { code: string }) => code);
    const fine = known;
    expect(await codeOf("host-z")).toBe("SOJ_HOST_UNKNOWN");
    known = { ...fine, state: "away", host: "host-b" };
    expect(await codeOf()).toBe("SOJ_BENCH_GUEST");
    known = { ...fine, home: "host-b" };
    expect(await codeOf()).toBe("SOJ_BENCH_GUEST");
    known = { ...fine, migration: "m1" };
    expect(await codeOf()).toBe("SOJ_GUEST_BUSY");
    expect(await services.listBenchmarks()).toEqual([]);
  });

  it("ends with its daemon", async () => {
    const benchmarks = await open();
    const begun = await benchmarks.services.startBenchmark({ guest: "lasts", to: "host-b" });
    const pid = pidOf(begun);
    await untilProgress(benchmarks.services, begun.id);
    await benchmarks[Symbol.asyncDispose]();
    expect(identifyProcess(pid)).toBeNull();
    await expect(
      benchmarks.services.startBenchmark({ guest: "web1", to: "host-b" }),
    ).rejects.toMatchObject({ code: "SOJ_BENCHMARK_RUNNING" });
  });

  it("that a crashed daemon left has failed, and no other begins before it is gone", async () => {
    const crashed = await open();
    const begun = await crashed.services.startBenchmark({ guest: "lasts", to: "host-b" });
    await untilProgress(crashed.services, begun.id);
    const { services } = await open();
    expect(await services.getBenchmark(begun.id)).toMatchObject({
      ...{ state: "failed", error: { code: "SOJ_BENCHMARK_ABANDONED" } },
      ended_ms: expect.any(Number),
    });
    await expect(services.startBenchmark({ guest: "web1", to: "host-b" })).rejects.toMatchObject({
      code: "SOJ_BENCHMARK_RUNNING",
    });
    await crashed[Symbol.asyncDispose]();
    const next = await services.startBenchmark({ guest: "web1", to: "host-b" });
    expect(await untilEnded(services, next.id)).toMatchObject({ state: "completed" });
  });

  it("is forgotten after twenty others, and a damaged one is passed over", async () => {
    const { services } = await open();
    const begun = await services.startBenchmark({ guest: "web1", to: "host-b" });
    const ended = await untilEnded(services, begun.id);
    for (let older = 1; older <= 25; older += 1)
      plant(`b${older}`, { ...ended, started_ms: older });
    plant("b-broken", "{");
    const later = (await open()).services;
    expect(await later.listBenchmarks()).toHaveLength(26);
    const last = await later.startBenchmark({ guest: "web1", to: "host-b" });
    await untilEnded(later, last.id);
    await expect.poll(async () => (await later.listBenchmarks()).length).toBe(20);
    await expect.poll(() => readdirSync(join(folder.path, "benchmarks")).length).toBe(21);
    const left = (await later.listBenchmarks()).map(({ id }) => id);
    expect(left.slice(0, 3)).toEqual([last.id, begun.id, "b25"]);
  });
});

describe("a line of a benchmark", () => {
  it("counts when it is progress, the summary or the error", () => {
    const progress = { run: 1, runs: 2, strategy: "flip", remaining_ms: null };
    expect(readBenchmarkLine(JSON.stringify({ type: "progress", ...progress }))).toEqual({
      progress,
    });
    for (const other of ["", "x", "1", "[]", "null", '{"type":"run"}', '{"a":1}']) {
      expect(readBenchmarkLine(other), other).toBeNull();
    }
    const message = { type: "progress", message: "the lab is up" };
    expect(readBenchmarkLine(JSON.stringify(message))).toBeNull();
  });

  it("never makes its reader throw", () => {
    const types = fc.constantFrom("progress", "partial", "error", "run", undefined);
    const object = fc.tuple(fc.object(), types).map(([value, type]) => ({ ...value, type }));
    const line = fc.oneof(
      fc.string(),
      fc.json(),
      object.map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(line, (text) => {
        const told = readBenchmarkLine(text);
        if (told !== null) expect(Object.keys(told)).toHaveLength(1);
      }),
    );
  });

  it("knows the same loads as the command", () => {
    expect(benchmarkLoads).toEqual(loads);
    expect(benchmarkResultSchema.safeParse({ strategies: {}, ratios: {} }).success).toBe(true);
  });
});

type Services = Benchmarks["services"];

async function untilEnded(services: Services, id: string): Promise<BenchmarkStatus> {
  await expect.poll(async () => (await services.getBenchmark(id)).ended_ms).not.toBeNull();
  return await services.getBenchmark(id);
}

async function untilProgress(services: Services, id: string): Promise<void> {
  await expect.poll(async () => (await services.getBenchmark(id)).progress).not.toBeNull();
}

function pidOf({ folder: results }: BenchmarkStatus): number {
  const stored = readFileSync(join(results, "..", "benchmark.json"), "utf8");
  return (JSON.parse(stored) as { process: { pid: number } }).process.pid;
}

function plant(id: string, content: BenchmarkStatus | string): void {
  const path = join(folder.path, "benchmarks", id);
  mkdirSync(path);
  const stored =
    typeof content === "string"
      ? content
      : JSON.stringify({ status: { ...content, id }, process: null });
  writeFileSync(join(path, "benchmark.json"), stored);
}
