import { describe, expect, test } from "vitest";
import { runCell } from "../../../src/bench/engine.ts";
import { MigrateLines } from "../../../src/bench/migrate-lines.ts";
import { type MoveFacts, MoveFailed } from "../../../src/bench/move-facts.ts";
import type { CellRecord } from "../../../src/bench/records.ts";
import type { Runner, RunRequest, Strategy } from "../../../src/bench/run.ts";
import { hopelessStrategies, summarizeCell, summarizeCells } from "../../../src/bench/summary.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { reportWith } from "../../support/fake-services.ts";
import { completedMove, runWith, tooBusy } from "./support.ts";

function cellFor(strategies: Strategy[]): CellRecord {
  const guest = { memory_mib: 128, dirty_mbytes_per_second: null, tunnel: "auto" };
  return { ...guest, strategies, load: ["echo"], runs: [] };
}

function measure(
  cell: CellRecord,
  rounds: number,
  run: (request: RunRequest) => Promise<void>,
  signal = new AbortController().signal,
  mayStart = () => true,
) {
  const runner: Runner = {
    async run(request) {
      await run(request);
      const nothing = { probes: {}, timeline: [], throughput: null };
      return { blackoutMs: 20, controlMs: 1, totalMs: 500, move: completedMove, ...nothing };
    },
    async [Symbol.asyncDispose]() {},
  };
  const silent = { onStart: () => {}, onEnd: () => {}, mayStart };
  return runCell({ cell, rounds, load: ["echo"], runnerOf: async () => runner, ...silent, signal });
}

describe("the engine", () => {
  test("pauses for as long as the round's lossless blackout", async () => {
    const cell = cellFor(["pause", "lossless"]);
    const paused: number[] = [];
    await measure(cell, 2, async ({ strategy, pauseMs }) => {
      if (strategy === "pause") paused.push(pauseMs);
    });
    expect(paused).toEqual([20, 20]);
  });

  test("keeps failures, goes on, and stops at the third in a row", async () => {
    const cell = cellFor(["lossless", "flip"]);
    let flips = 0;
    const failingFlips = async ({ strategy }: RunRequest) => {
      if (strategy !== "flip") return;
      flips += 1;
      if (flips !== 2) throw new SojournError("SOJ_BENCH_RUN", "no luck");
    };
    await expect(measure(cell, 10, failingFlips)).rejects.toMatchObject({
      code: "SOJ_BENCH_FAILING",
      message: expect.stringContaining("no luck"),
    });
    const { flip, lossless } = summarizeCell(cell).strategies;
    expect(flip).toMatchObject({ runs: 1, failed: 4 });
    expect(lossless?.failed).toBe(0);
    expect(cell.runs.find(({ failed }) => failed !== null)?.failed).toContain("SOJ_BENCH_RUN");
  });

  test("a guest that is too busy is no failure, however often", async () => {
    const cell = cellFor(["lossless"]);
    const refuse = new SojournError("SOJ_NOT_CONVERGING", "too busy", { exitCode: 4 });
    await measure(cell, 5, async () => {
      throw new MoveFailed(refuse, (tooBusy.move ?? completedMove) as MoveFacts);
    });
    expect(cell.runs).toHaveLength(5);
    expect(cell.runs[4]).toMatchObject({
      failed: "too busy [SOJ_NOT_CONVERGING]",
      move: { outcome: "rolled-back", passes: 4 },
      figures: null,
    });
    expect(hopelessStrategies([cell])).toEqual([]);
  });

  test("goes on after the runs that are there, and begins none when it may not", async () => {
    const cell = cellFor(["lossless", "flip"]);
    const seen: Strategy[] = [];
    const see = async ({ strategy }: RunRequest) => void seen.push(strategy);
    await measure(cell, 2, see, undefined, () => seen.length < 3);
    expect(cell.runs).toHaveLength(3);
    const [first] = cell.runs;
    await measure(cell, 2, see);
    expect(cell.runs).toHaveLength(4);
    expect(cell.runs[0]).toBe(first);
    expect(seen).toHaveLength(4);
  });

  test("an interrupted run is no failed one", async () => {
    const cell = cellFor(["lossless"]);
    const controller = new AbortController();
    const interrupted = measure(
      cell,
      3,
      async () => {
        if (cell.runs.length === 0) return;
        controller.abort(new Error("enough"));
        throw new Error("killed");
      },
      controller.signal,
    );
    await expect(interrupted).rejects.toThrow("enough");
    expect(cell.runs).toHaveLength(1);
  });
});

describe("the summary", () => {
  test("has ratios against the controls", () => {
    const cell = cellFor(["lossless", "after-return", "same-subnet", "pause"]);
    const outages = { lossless: 50, "after-return": 2_000, "same-subnet": 200, pause: 40 };
    for (const [strategy, tcp_echo_outage_ms] of Object.entries(outages)) {
      cell.runs.push(runWith({ tcp_echo_outage_ms }, { strategy: strategy as Strategy }));
    }
    const { ratios } = summarizeCell(cell);
    expect(ratios["lossless/same-subnet"]).toEqual({ tcp_echo: 0.25, tcp_stream: null });
    expect(Object.keys(ratios)).toEqual([
      ...["lossless/same-subnet", "after-return/same-subnet"],
      ...["lossless/pause", "after-return/pause", "same-subnet/pause", "after-return/lossless"],
    ]);
    expect(summarizeCells([cell])).not.toHaveProperty("cells");
    const two = summarizeCells([cell, cellFor(["lossless"])]);
    expect(two.cells).toHaveLength(2);
    expect(two.ratios).toEqual(ratios);
  });

  test("names the strategies none of whose runs completed", () => {
    const cell = cellFor(["lossless", "flip", "pause"]);
    const failed = { strategy: "flip" as const };
    cell.runs.push(runWith(null), runWith({}), runWith(null, failed), runWith(null, failed));
    const sentence = "flip: 2 of 2 runs failed; the last time: it did not work [SOJ_BENCH_RUN]";
    expect(hopelessStrategies([cell])).toEqual([sentence]);
    const both = hopelessStrategies([cellFor(["flip"]), cell]);
    expect(both).toEqual([sentence.replace("runs", "runs of cell 2")]);
  });
});

describe("the lines of a migration", () => {
  const entries = [
    { phase: "stop" as const, at_ms: 100, host: "host-a" },
    { phase: "continue" as const, at_ms: 112.3456, host: "host-a" },
  ];

  test("become a run", () => {
    const lines = new MigrateLines();
    lines.see("not JSON");
    lines.see(JSON.stringify({ type: "throughput", start_ms: -1, step_ms: 10, mbps: [1] }));
    const early = { phase: "pre-switchover", at_ms: 110, host: "host-a" };
    lines.see(JSON.stringify({ ...reportWith({}), timeline: [...entries, early] }));
    expect(lines.result()).toMatchObject({
      ...{ blackoutMs: 24.1, controlMs: 2.35, totalMs: 612 },
      throughput: { start_ms: -1, step_ms: 10, mbps: [1] },
    });
  });

  const progress = (passes: number, dirty: number | null, throttle?: number) =>
    JSON.stringify({
      ...{ type: "progress", transferred_bytes: passes * 1000, dirty_syncs: passes },
      ...{ dirty_mbps: dirty, ...(throttle === undefined ? {} : { throttle_percent: throttle }) },
    });

  test("tell how the move went, against the limit of the policy that it had", () => {
    const lines = new MigrateLines();
    for (const line of [progress(1, null), progress(2, 80, 20), progress(3, 100, 0)])
      lines.see(line);
    lines.see(JSON.stringify({ ...reportWith({ blackout_ms: 400 }), policy: "finish" }));
    const limitOf = (policy: string | undefined) => (policy === "finish" ? 2000 : 300);
    expect(lines.result("", limitOf).move).toEqual({
      ...{ outcome: "completed", error_code: null, lasted_ms: 612, transferred_bytes: 73_000_000 },
      ...{ passes: 3, dirty_mbps: 90, throttled_percent: 20, post_copy_ms: null },
      ...{ blackout_limit_ms: 2000, within_limit: true },
    });
    expect(lines.result("", () => 399).move?.within_limit).toBe(false);
    expect(lines.result().move).toMatchObject({ blackout_limit_ms: null, within_limit: null });
  });

  test("tell of a move that did not complete as far as it went, and nothing of one that never began", () => {
    const error = new SojournError("SOJ_NOT_CONVERGING", "too busy", { exitCode: 4 }).toRecord();
    const lines = new MigrateLines();
    lines.see(JSON.stringify(error));
    expect(() => lines.result()).not.toThrow(MoveFailed);
    lines.see(progress(2, 80));
    lines.see(JSON.stringify({ type: "phase", phase: "rolled-back", at_ms: 8_100 }));
    const move = {
      ...{ outcome: "rolled-back", error_code: "SOJ_NOT_CONVERGING", lasted_ms: 8_100 },
      ...{ transferred_bytes: 2_000, passes: 2, within_limit: null },
    };
    const limitOf = () => 300;
    expect(() => lines.result("", limitOf)).toThrow(
      expect.objectContaining({ move: expect.objectContaining(move) }),
    );
  });

  test("or an error", () => {
    expect(() => new MigrateLines().result("ssh: no route")).toThrow(/ssh: no route/);
    const rolledBack = new MigrateLines();
    rolledBack.see(JSON.stringify(reportWith({ outcome: "rolled-back" })));
    expect(() => rolledBack.result()).toThrow(/rolled-back/);
    const refused = new MigrateLines();
    const error = new SojournError("SOJ_GUEST_BUSY", "busy").toRecord();
    refused.see(JSON.stringify(error));
    expect(() => refused.result()).toThrow(expect.objectContaining({ code: "SOJ_GUEST_BUSY" }));
  });
});
