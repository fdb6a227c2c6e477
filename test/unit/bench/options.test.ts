import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cellsOf } from "../../../src/bench/cells.ts";
import { dirtyingAppend } from "../../../src/bench/lab-bed.ts";
import { scriptDelayMs, strategyArgs, wishArgs } from "../../../src/bench/move-runner.ts";
import { type BenchFlags, planBench } from "../../../src/bench/options.ts";
import { type Cell, dirtyRatioOf } from "../../../src/bench/records.ts";
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
      ...{ linkMbps: null, traffics: null, policies: null, postCopy: null },
      ...{ timeoutS: null, budgetS: null },
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

  test("take dirtying in parts of the link, in the writer's whole megabits", () => {
    const dirty = "0.25x,1x,0.001x,2";
    const plan = planBench({ linkMbps: "200", dirty, memory: "128" }, inLab);
    expect(plan.dirtyMbytesPerSecond).toEqual([6.25, 25, 0.125, 2]);
    const [quarter] = cellsOf(plan);
    expect(quarter).toMatchObject({ link_mbps: 200, dirty_mbytes_per_second: 6.25 });
    expect(dirtyRatioOf(quarter as Cell)).toBe(0.25);
  });

  test("make a matrix of busy guests, the cells of one guest together", () => {
    const choices = { traffic: "idle,stream", policy: "gentle,finish", postCopy: "no,yes" };
    const plan = planBench({ linkMbps: "100", memory: "128,512", ...choices }, inLab);
    expect(plan.load).toEqual(["echo"]);
    const cells = cellsOf(plan);
    expect(cells).toHaveLength(16);
    expect(cells.map(({ memory_mib }) => memory_mib)).toEqual(
      [128, 512].flatMap((mib) => Array.from({ length: 8 }, () => mib)),
    );
    expect(cells[7]).toEqual({
      ...{ memory_mib: 128, dirty_mbytes_per_second: null, link_mbps: 100, tunnel: "auto" },
      ...{ traffic: "stream", policy: "finish", post_copy: true },
    });
    expect(wishArgs(cells[7] as Cell, 60)).toEqual([
      ...["--policy", "finish", "--post-copy", "--timeout", "60"],
    ]);
    expect(wishArgs({ tunnel: "auto", post_copy: false }, null)).toEqual([]);
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
    [{ memory: range(80, 12), dirty: range(0, 11) }, /132 combinations/],
    [{ dirty: "1x" }, /add --link-mbps|link whose limit/],
    [{ dirty: "x", linkMbps: "100" }, /--dirty/],
    [{ dirty: "0x", linkMbps: "100" }, /--dirty/],
    [{ dirty: "0.5x,0.50x", linkMbps: "100" }, /twice/],
    [{ linkMbps: "0" }, /--link-mbps/],
    [{ traffic: "idle,idle" }, /twice/],
    [{ policy: "brutal" }, /no "brutal"/],
    [{ postCopy: "maybe" }, /no "maybe"/],
    [{ timeout: "0" }, /--timeout/],
    [{ budget: "soon" }, /--budget/],
  ])("%j is refused", (flags, message) => {
    expect(() => planBench(flags, inLab)).toThrow(message);
  });

  test("controls are the lab's alone", () => {
    expect(planBench({}, { inLab: false }).strategies).toEqual(["lossless"]);
    for (const flags of [
      { strategies: "lossless,pause" },
      { memory: "128" },
      { dirty: "1" },
      { linkMbps: "9" },
    ]) {
      expect(() => planBench(flags, { inLab: false })).toThrow(SojournError);
    }
  });

  test("whatever is typed, the answer is a plan or a usage error", () => {
    const text = fc.option(fc.string({ maxLength: 40 }), { nil: undefined });
    const flags = fc.record(
      {
        ...{ strategies: text, runs: text, memory: text, dirty: text, load: text, tunnel: text },
        ...{ linkMbps: fc.constantFrom("100", "1"), traffic: text, policy: text, postCopy: text },
      },
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
  const limited = { memory_mib: 2048, dirty_mbytes_per_second: 6.25, link_mbps: 200 };
  expect(dirtyingAppend(limited)).toBe("sojourn.memcheck=512 sojourn.dirty_mbps=50");
});

function range(from: number, count: number): string {
  return Array.from({ length: count }, (_, index) => from + index).join(",");
}
