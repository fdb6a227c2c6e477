import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { csvField, runsAsCsv } from "../../../src/bench/csv.ts";
import { benchPage, medianRun } from "../../../src/bench/html/bench-page.ts";
import { escapeText } from "../../../src/bench/html/escape.ts";
import { migrationPage } from "../../../src/bench/html/migration-page.ts";
import { spreadScale } from "../../../src/bench/html/scale.ts";
import type { CellRecord } from "../../../src/bench/records.ts";
import type { BenchState } from "../../../src/bench/state.ts";
import { reportWith } from "../../support/fake-services.ts";
import { completedMove, elementsOf, runWith } from "./support.ts";

const hostile = `"><script>alert(1)</script>&amp;'\u0000\u001b]0;x\ufffe\ud800`;
const throughput = {
  start_ms: -2_000,
  step_ms: 10,
  mbps: Array.from({ length: 500 }, (_, i) => i % 90),
};
const timeline = [
  { phase: "precopy" as const, at_ms: 10, host: "host-a" },
  { phase: "stop" as const, at_ms: 600, host: "host-a" },
  { phase: "resume" as const, at_ms: 640, host: "host-b" },
];

function stateWith(change: Partial<CellRecord>): BenchState {
  const cell: CellRecord = {
    ...{ memory_mib: 128, dirty_mbytes_per_second: 5, tunnel: "auto" },
    strategies: ["lossless", "same-subnet"],
    load: ["echo", "stream"],
    runs: [],
    ...change,
  };
  const machine = { cpu: hostile, cpus: 2, memory_mib: 1, kernel: hostile, qemu: null };
  const facts = { command: hostile, started: "now", progress: "running" as const };
  return { ...facts, machine: { ...machine, accelerator: "tcg", node: "v24" }, cells: [cell] };
}

describe("the page of a benchmark", () => {
  const runs = [
    runWith(
      { tcp_echo_outage_ms: 50, tcp_stream_outage_ms: 60, blackout_ms: 40 },
      { timeline, throughput },
    ),
    runWith({ tcp_echo_outage_ms: 5_000 }, { strategy: "same-subnet", run: 2 }),
    runWith(null, { strategy: "same-subnet", run: 3, failed: hostile }),
  ];

  test("is well-formed, needs nothing from elsewhere, and lets nothing through", () => {
    const page = benchPage(stateWith({ runs }));
    const elements = elementsOf(page);
    expect(elements).not.toContain("script");
    expect(elements.filter((name) => name === "svg")).toHaveLength(5);
    expect(elements.filter((name) => name === "circle")).toHaveLength(4);
    expect(page).not.toMatch(/(?:src|href)=|url\(|@import/);
    expect(page).toContain('class="blackout"');
    expect(page).toContain("prefers-color-scheme");
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });

  test.each([[[runWith(null)]], [[runWith({})]], [[runWith({ blackout_ms: 0 })]]])(
    "holds with hardly anything measured",
    (few) => {
      const page = benchPage(stateWith({ runs: few }));
      expect(elementsOf(page)).toContain("table");
      expect(page).not.toMatch(/NaN|Infinity|undefined/);
    },
  );

  test("has a line for each cell of busy guests, also of one that was not measured", () => {
    const busy = { link_mbps: 100, policy: "gentle" as const };
    const measured = runWith({ blackout_ms: 40 }, { move: completedMove });
    const state = stateWith({ ...busy, runs: [measured] });
    const page = benchPage({
      ...state,
      cells: [...state.cells, { ...(state.cells[0] as CellRecord), runs: [] }],
    });
    expect(elementsOf(page).filter((name) => name === "h2")).toHaveLength(2);
    expect(page.match(/<td>gentle<\/td>/g)).toHaveLength(2);
    expect(page).toContain("1 of 1 completed moves (100 %)");
  });

  test("draws the run in the middle", () => {
    const three = [90, 10, 50].map((ms, run) =>
      runWith({ tcp_stream_outage_ms: ms }, { run, throughput }),
    );
    expect(medianRun(three, "lossless")?.run).toBe(2);
    expect(medianRun(three, "flip")).toBeNull();
  });
});

describe("the page of a migration", () => {
  test("is well-formed with and without a stream", () => {
    const report = reportWith({ guest: hostile, from: hostile, timeline });
    const drawn = migrationPage(report, throughput);
    expect(elementsOf(drawn)).toContain("svg");
    expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
    expect(elementsOf(migrationPage(report, null))).not.toContain("svg");
    expect(elementsOf(migrationPage(report, { ...throughput, mbps: [] }))).toContain("svg");
  });
});

test("any text is XML after escaping", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string(), (text, other) => {
      for (const one of [text, other])
        elementsOf(`<p title="${escapeText(one)}">${escapeText(one)}</p>`);
    }),
  );
});

test("the axis is logarithmic only where the spread is wide", () => {
  expect(spreadScale([10, 20], [0, 100]).at(0)).toBe(0);
  const wide = spreadScale([10, 10_000], [0, 100]);
  expect(wide.ticks).toEqual([10, 100, 1_000, 10_000]);
  expect(wide.at(10)).toBe(0);
  expect(wide.at(10_000)).toBe(100);
});

describe("CSV", () => {
  test("a quoted field reads back", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), (text) => {
        const field = csvField(text);
        const read = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
        expect(read.replace(/^'(?=[=+\-@\t\r])/, "")).toBe(text.replace(/^'(?=[=+\-@\t\r])/, ""));
        if (!field.startsWith('"')) expect(field).not.toMatch(/[",\r\n]/);
      }),
    );
  });

  test("has one line a run and as many fields as its header", () => {
    const [header, line, end] = runsAsCsv(stateWith({ runs: [runWith({ rto: 0 })] }).cells).split(
      "\r\n",
    );
    expect(line?.split(",")).toHaveLength(header?.split(",").length ?? 0);
    expect(end).toBe("");
    expect(csvField(null)).toBe("");
    expect(csvField("=1+1")).toBe("'=1+1");
  });
});
