import { describe, expect, test } from "vitest";
import { runCell } from "../../../src/bench/engine.ts";
import { MigrateLines } from "../../../src/bench/migrate-process.ts";
import type { CellRecord } from "../../../src/bench/records.ts";
import type { Runner, RunRequest, Strategy } from "../../../src/bench/run.ts";
import { hopelessStrategies, summarizeCell, summarizeCells } from "../../../src/bench/summary.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { reportWith } from "../../support/fake-services.ts";
import { runWith } from "./support.ts";

function cellFor(strategies: Strategy[]): CellRecord {
  const guest = { memory_mib: 128, dirty_mbytes_per_second: null, tunnel: "auto" };
  return { ...guest, strategies, load: ["echo"], runs: [] };
}

function measure(
  cell: CellRecord,
  rounds: number,
  run: (request: RunRequest) => Promise<void>,
  signal = new AbortController().signal,
) {
  const runner: Runner = {
    async run(request) {
      await run(request);
      const probes = {};
      return { blackoutMs: 20, controlMs: 1, totalMs: 500, probes, timeline: [], throughput: null };
    },
    async [Symbol.asyncDispose]() {},
  };
  const silent = { onStart: () => {}, onEnd: () => {} };
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
