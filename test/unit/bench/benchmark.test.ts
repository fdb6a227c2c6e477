import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Bed } from "../../../src/bench/bed.ts";
import { Benchmark } from "../../../src/bench/benchmark.ts";
import { cellsOf } from "../../../src/bench/cells.ts";
import { type BenchFlags, planBench } from "../../../src/bench/options.ts";
import { OutputFolder } from "../../../src/bench/output-folder.ts";
import type { CellGuest } from "../../../src/bench/records.ts";
import { delay } from "../../../src/platform/clock.ts";
import { temporaryFolder } from "../migrator/support.ts";
import { completedMove } from "./support.ts";

const flags: BenchFlags = {
  ...{ strategies: "lossless", runs: "2", memory: "128,512", linkMbps: "100" },
  traffic: "idle,stream",
};
const silent = { say: () => {}, starting: () => {}, ended: () => {} };

let folder: ReturnType<typeof temporaryFolder>;
let beds: CellGuest[];
let moves: string[];

beforeEach(() => {
  folder = temporaryFolder();
  beds = [];
  moves = [];
});
afterEach(() => folder[Symbol.dispose]());

/** Measures with beds that move nothing; `onMove` is told each move's cell. */
async function measure(change: BenchFlags = {}, onMove = async (_count: number) => {}) {
  const plan = planBench({ ...flags, ...change }, { inLab: true });
  const interruption = new AbortController();
  const openBed = async (guest: CellGuest): Promise<Bed> => {
    beds.push(guest);
    return {
      guest,
      runnerOf: async (_strategy, { memory_mib, traffic }) => ({
        async run({ load }) {
          moves.push(`${memory_mib} ${traffic} ${load}`);
          await onMove(moves.length);
          const nothing = { probes: {}, timeline: [], throughput: null };
          return { blackoutMs: 20, controlMs: 1, totalMs: 500, move: completedMove, ...nothing };
        },
        async [Symbol.asyncDispose]() {},
      }),
      newlyCorruptPages: async () => 1,
      async restore() {},
      async [Symbol.asyncDispose]() {},
    };
  };
  const benchmark = await Benchmark.prepare({
    ...{ plan, cells: cellsOf(plan), openBed, observer: silent, command: "sojourn bench" },
    folder: await OutputFolder.open(join(folder.path, "out")),
    signal: interruption.signal,
  });
  return { benchmark, interruption };
}

describe("a benchmark of several cells", () => {
  test("starts each guest once, for all its cells", async () => {
    const { benchmark } = await measure();
    expect(await benchmark.run()).toBeNull();
    expect(beds.map(({ memory_mib }) => memory_mib)).toEqual([128, 512]);
    expect(moves).toEqual([
      ...["128 idle echo", "128 idle echo", "128 stream echo,stream", "128 stream echo,stream"],
      ...["512 idle echo", "512 idle echo", "512 stream echo,stream", "512 stream echo,stream"],
    ]);
  });

  test("goes on where it was interrupted, and begins anew after its end", async () => {
    const first = await measure({}, async (count) => {
      if (count === 6) first.interruption.abort(new Error("enough"));
    });
    await expect(first.benchmark.run()).rejects.toMatchObject({ code: "SOJ_BENCH_INTERRUPTED" });
    const done = first.benchmark.runs;
    expect(done).toBe(6);

    moves = [];
    const second = await measure();
    expect(second.benchmark.runs).toBe(done);
    expect(await second.benchmark.run()).toBeNull();
    expect(moves).toEqual(["512 stream echo,stream", "512 stream echo,stream"]);
    expect(second.benchmark.runs).toBe(8);
    // Each cell was asked once, the interrupted one when it was complete.
    expect(second.benchmark.cells.map((cell) => cell.corrupt_pages)).toEqual([1, 1, 1, 1]);
    expect((await measure()).benchmark.runs).toBe(0);
  });

  test("goes on with nothing of a folder that cannot be read, or of other cells", async () => {
    const { benchmark, interruption } = await measure({}, async (count) => {
      if (count === 3) interruption.abort(new Error("enough"));
    });
    await expect(benchmark.run()).rejects.toThrow();
    expect((await measure({ linkMbps: "200" })).benchmark.runs).toBe(0);
    expect((await measure({ load: "packet" })).benchmark.runs).toBe(0);
    expect((await measure({ memory: "512" })).benchmark.runs).toBe(0);
    expect((await measure({ memory: "128" })).benchmark.runs).toBe(3);
    writeFileSync(join(folder.path, "out", "results.json"), '{"format":"sojourn-bench"}');
    expect((await measure()).benchmark.runs).toBe(0);
  });

  test("begins nothing more once its time is spent, and tells how far it came", async () => {
    const { benchmark } = await measure({ budget: "2" }, async (count) => {
      if (count === 2) await delay(2_050);
    });
    expect(await benchmark.run()).toContain("after 2 of 8 runs");
    expect(beds).toHaveLength(1);
    expect(benchmark.cells.map(({ runs }) => runs.length)).toEqual([2, 0, 0, 0]);
    expect((await measure()).benchmark.runs).toBe(2);
  });
});
