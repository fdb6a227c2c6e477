import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dirtyingAppend } from "../../../src/bench/lab-bed.ts";
import { scriptDelayMs, strategyArgs } from "../../../src/bench/move-runner.ts";
import { type BenchFlags, cellsOf, planBench } from "../../../src/bench/options.ts";
import { SojournError } from "../../../src/platform/errors.ts";

const inLab = { inLab: true };

describe("the flags", () => {
  test("have defaults", () => {
    const plan = planBench({}, inLab);
    expect(plan).toEqual({
      strategies: ["lossless", "same-subnet", "pause"],
      rounds: 10,
      memoryMib: null,
      dirtyMbytesPerSecond: null,
      load: ["echo", "stream"],
      tunnels: ["auto"],
      scriptBandwidthMbps: 100,
    });
    expect(cellsOf(plan)).toEqual([
      { memory_mib: 128, dirty_mbytes_per_second: null, tunnel: "auto" },
    ]);
  });

  test("make a matrix", () => {
    const plan = planBench({ memory: "128,256", dirty: "0,5", tunnel: "ipip,vxlan" }, inLab);
    const cells = cellsOf(plan);
    expect(cells).toHaveLength(8);
    expect(cells[7]).toEqual({ memory_mib: 256, dirty_mbytes_per_second: 5, tunnel: "vxlan" });
    expect(cells[0]?.dirty_mbytes_per_second).toBeNull();
  });

  test.each<[BenchFlags, RegExp]>([
    [{ strategies: "lossless,teleport" }, /no "teleport"/],
    [{ strategies: "" }, /--strategies/],
    [{ strategies: "flip,flip" }, /twice/],
    [{ strategies: "flip,pause" }, /lossless/],
    [{ runs: "0" }, /--runs/],
    [{ runs: "1e3" }, /--runs/],
    [{ memory: "128,16" }, /--memory/],
    [{ dirty: "-1" }, /--dirty/],
    [{ load: "echo,load" }, /--load/],
    [{ tunnel: "carrier-pigeon" }, /--tunnel/],
    [{ scriptBandwidth: "0" }, /--script-bandwidth/],
    [{ memory: range(64, 12), dirty: range(0, 9) }, /108 combinations/],
  ])("%j is refused", (flags, message) => {
    expect(() => planBench(flags, inLab)).toThrow(message);
  });

  test("controls are the lab's alone", () => {
    expect(planBench({}, { inLab: false }).strategies).toEqual(["lossless"]);
    for (const flags of [{ strategies: "lossless,pause" }, { memory: "128" }, { dirty: "1" }]) {
      expect(() => planBench(flags, { inLab: false })).toThrow(SojournError);
    }
  });

  test("whatever is typed, the answer is a plan or a usage error", () => {
    const text = fc.option(fc.string({ maxLength: 40 }), { nil: undefined });
    const flags = fc.record(
      { strategies: text, runs: text, memory: text, dirty: text, load: text, tunnel: text },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(flags, (typed) => {
        try {
          planBench(typed as BenchFlags, inLab);
        } catch (error) {
          expect(error).toMatchObject({ code: "SOJ_USAGE", exitCode: 2 });
        }
      }),
    );
  });
});

test("the script sleeps as long as the memory takes", () => {
  expect(scriptDelayMs(128, 100)).toBe(10_737);
  expect(strategyArgs("script-2009", 10_737)).toEqual(["--strategy", "script-2009:10737"]);
  expect(strategyArgs("lossless", 10_737)).toEqual([]);
});

test("megabytes of the flag are megabits of the guest", () => {
  const cell = { memory_mib: 64, dirty_mbytes_per_second: 5, tunnel: "auto" };
  expect(dirtyingAppend(cell)).toBe("sojourn.memcheck=16 sojourn.dirty_mbps=40");
  expect(dirtyingAppend({ ...cell, dirty_mbytes_per_second: null })).toBe("");
});

function range(from: number, count: number): string {
  return Array.from({ length: count }, (_, index) => from + index).join(",");
}
