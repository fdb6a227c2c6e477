import { describe, expect, test } from "vitest";
import {
  busyPage,
  busyTable,
  describeAll,
  isAboutBusyGuests,
} from "../../../src/bench/busy-table.ts";
import { limitKept } from "../../../src/bench/move-summary.ts";
import type { CellRecord } from "../../../src/bench/records.ts";
import { loadUnder } from "../../../src/bench/run.ts";
import { summarizeCells } from "../../../src/bench/summary.ts";
import { completedMove, runWith, tooBusy } from "./support.ts";

const cell: CellRecord = {
  ...{ memory_mib: 512, dirty_mbytes_per_second: 12.5, link_mbps: 100, tunnel: "auto" },
  ...{ traffic: "idle", policy: "balanced", post_copy: false },
  ...{ strategies: ["lossless"], load: ["echo"], runs: [] },
};
const over = runWith(
  { blackout_ms: 400, tcp_echo_outage_ms: 450 },
  { move: { ...completedMove, lasted_ms: 6_000, within_limit: false } },
);
const within = runWith({ blackout_ms: 200 }, { move: completedMove });

describe("the table of busy guests", () => {
  test("has a line a cell, and nothing for one that was not measured", () => {
    const measured = { ...cell, runs: [over, within, runWith(null, tooBusy)] };
    const [header, [empty, full]] = busyTable([cell, measured]);
    const place = ["512", "1", "idle", "balanced", "no"];
    expect(empty).toEqual([...place, ...header.slice(place.length).map(() => "")]);
    expect(Object.fromEntries(header.map((name, at) => [name, full?.[at]]))).toMatchObject({
      outcomes: "2 completed, 1 rolled-back",
      "blackout ms": "300.0 (200.0 to 400.0)",
      "limit ms": "300",
      within: "1 of 2",
      "echo outage ms": "450.0",
      "whole move s": "4.0 (4.0 to 6.0)",
      "sent MiB": "100",
      "throttled %": "",
    });
  });

  test("is there in Markdown, with the machine", () => {
    const machine = { cpu: "EPYC", cpus: 2, memory_mib: 1, kernel: "6.18", node: "v24" };
    const facts = { ...machine, qemu: "10.0.2", accelerator: "tcg" as const };
    const lines = busyPage([cell, { ...cell, runs: [within] }], facts).split("\n");
    expect(lines[0]).toContain("QEMU 10.0.2 (tcg)");
    const rows = lines.filter((line) => line.startsWith("|"));
    expect(rows).toHaveLength(4);
    expect(new Set(rows.map((row) => row.split("|").length)).size).toBe(1);
    expect(lines).toContain("- blackout within its limit: 1 of 1 completed moves (100 %)");
  });

  test("counts blackouts of all cells against their limits, and only known ones", () => {
    const cells = [
      { ...cell, runs: [over, within] },
      { ...cell, runs: [within, within] },
    ];
    const { within_limit } = summarizeCells(cells);
    expect(within_limit).toEqual({ within: 3, of: 4, share: 0.75 });
    expect(describeAll(cells)).toEqual([
      "blackout within its limit: 3 of 4 completed moves (75 %)",
    ]);
    const none = limitKept([runWith(null, tooBusy), runWith({ blackout_ms: 1 })]);
    expect(none).toEqual({ within: 0, of: 0, share: null });
    expect(describeAll([cell])).toEqual([]);
  });

  test("tells of wrong pages where any guest was asked", () => {
    const corrupt = (corrupt_pages: number) => ({ ...cell, corrupt_pages });
    expect(summarizeCells([cell]).corrupt_pages).toBeNull();
    const cells = [cell, corrupt(0), corrupt(2)];
    expect(summarizeCells(cells)).toMatchObject({
      corrupt_pages: 2,
      cells: [{}, {}, { corrupt_pages: 2 }],
    });
    expect(describeAll([corrupt(0)])).toEqual([
      "pages that did not hold what the guest had written: 0",
    ]);
  });

  test("is told of benchmarks that are about them", () => {
    const { memory_mib, dirty_mbytes_per_second, tunnel } = cell;
    expect(isAboutBusyGuests([{ memory_mib, dirty_mbytes_per_second, tunnel }])).toBe(false);
    expect(isAboutBusyGuests([cell])).toBe(true);
  });
});

test("traffic is a stream, whatever else measures", () => {
  expect(loadUnder("idle", ["stream", "packet"])).toEqual(["packet"]);
  expect(loadUnder("stream", ["echo", "stream"])).toEqual(["echo", "stream"]);
  expect(loadUnder(undefined, ["stream"])).toEqual(["stream"]);
});
