import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { renderThroughputChart } from "../../../src/cli/render/chart.ts";
import { renderReport, summarizeReport } from "../../../src/cli/render/report.ts";
import { terminalForm } from "../../../src/cli/render/terminal.ts";
import type { MigrationReport } from "../../../src/migrator/report.ts";

const unicode = { width: 80, unicode: true };
const ascii = { width: 80, unicode: false };

const completed: MigrationReport = {
  type: "report",
  id: "m-1",
  guest: "web1",
  from: "host-a",
  to: "host-b",
  outcome: "completed",
  tunnel: { kind: "ipip", datapath: "bpf", mtu: 1480 },
  timeline: [
    { phase: "preparing", at_ms: 0, host: "host-b" },
    { phase: "precopy", at_ms: 210, host: "host-a" },
    { phase: "stop", at_ms: 900, host: "host-a" },
    { phase: "resume", at_ms: 924, host: "host-b" },
    { phase: "completed", at_ms: 1200, host: "host-a" },
  ],
  blackout_ms: 24.1,
  total_ms: 1200,
  transferred_bytes: 73_000_000,
  clock_offset_ms: null,
  clock_error_ms: null,
  packets_dropped: null,
  probes: {
    tcp_echo: {
      outage_ms: 27.9,
      floor_ms: 6.1,
      sessions: 1,
      broken: 0,
      retransmissions: 3,
      rto: 1,
    },
    tcp_stream: {
      outage_ms: 4.8,
      floor_ms: 5.2,
      before_mbps: 500,
      after_mbps: 498,
      recovery_ms: 80,
      sessions: 1,
      broken: 0,
      retransmissions: null,
      rto: null,
    },
  },
  guest_clock_step_ms: null,
  flows: { established: 3, survived: 3 },
  budget_ms: 100,
  within_budget: true,
};

describe("report", () => {
  test("one line says it all", () => {
    expect(summarizeReport(completed, unicode)).toBe(
      "web1 moved host-a → host-b: completed in 1.2 s, blackout 24.1 ms, outage 27.9 ms (tcp-echo), 0 of 2 sessions broken",
    );
  });

  test("a figure below its floor is given as the floor", () => {
    const text = renderReport(completed, unicode);
    expect(text).toMatch(
      /tcp-stream +≤ 5\.2 ms +5\.2 ms +0 of 1 +500 Mbit\/s +498 Mbit\/s +80 ms +- +-$/m,
    );
    expect(text).toMatch(/tcp-echo +27\.9 ms +6\.1 ms +0 of 1 +3 +1$/m);
    expect(text).toContain("budget 100 ms kept");
  });

  test("without UTF-8 there is nothing but ASCII", () => {
    const throughput = { startMs: -100, bucketMs: 10, bytes: Array<number>(200).fill(1000) };
    const text = renderReport(completed, { ...ascii, throughput });
    expect(text).toMatch(/^[\n -~]*$/);
    expect(text).toContain("host-a -> host-b");
    expect(text).toContain("<= 5.2 ms");
  });

  test("a migration that was rolled back is not said to have moved", () => {
    const text = renderReport(
      {
        ...completed,
        outcome: "rolled-back",
        blackout_ms: null,
        probes: {},
        flows: null,
      },
      unicode,
    );
    expect(text.split("\n")[0]).toBe("web1 did not move host-a → host-b: rolled-back after 1.2 s");
    expect(text).not.toContain("outage");
  });

  test("a broken session has no outage", () => {
    const kernel = { retransmissions: 15, rto: 15 };
    const tcp_echo = { outage_ms: null, floor_ms: 6.1, sessions: 1, broken: 1, ...kernel };
    const report = { ...completed, probes: { tcp_echo } };
    expect(summarizeReport(report, unicode)).toMatch(/blackout 24\.1 ms, 1 of 1 sessions broken$/);
  });
});

describe("other probes", () => {
  const kernel = { retransmissions: 0, rto: 0 };
  const http = {
    outage_ms: 30.4,
    floor_ms: 11,
    sessions: 1,
    broken: 0,
    ...kernel,
    status_errors: 0,
    guest_clock_step_ms: -24.1,
    guest_clock_error_ms: 1.2,
    guest_retransmissions: 4,
    guest_rto: 0,
  };
  const packet = {
    sent: 8000,
    lost: 0,
    unread: 0,
    duplicated: 3,
    reordered: 0,
    outage_ms: 25,
    floor_ms: 3.5,
  };

  test("have a row each, and a line for what is not in the table", () => {
    const text = renderReport({ ...completed, probes: { http, packet } }, unicode);
    expect(text).toMatch(/^ {2}http +30\.4 ms +11 ms +0 of 1 +0 +0$/m);
    expect(text).toMatch(/^ {2}packet +25 ms +3\.5 ms$/m);
    expect(text).toContain("packets: 8000 sent, 0 lost, 3 duplicated, 0 reordered");
    expect(text).toContain("guest clock step -24.1 ms (error up to 1.2 ms)");
    expect(text).toContain("guest: 4 segments sent again, 0 time-outs");
    expect(text).toContain("outage 25 ms (packet)");
    expect(text).toContain("0 of 1 sessions broken");
  });

  test("packets alone hold no session", () => {
    const text = summarizeReport({ ...completed, probes: { packet } }, unicode);
    expect(text).toMatch(/outage 25 ms \(packet\)$/);
  });
});

describe("chart", () => {
  test("shows the hole and where the phases are", () => {
    const bytes = [...Array<number>(20).fill(1250), 0, 0, ...Array<number>(18).fill(625)];
    const series = { startMs: -100, bucketMs: 10, bytes };
    const marks = [
      { label: "preparing", atMs: 0 },
      { label: "stop", atMs: 100 },
      { label: "resume", atMs: 109 },
    ];
    expect(renderThroughputChart(series, marks, { ...unicode, height: 2 })).toBe(
      [
        "   1 Mbit/s │████████████████████",
        "            │████████████████████  ██████████████████",
        "          0 └────────────────────────────────────────",
        "             -100 ms                           300 ms",
        "                       1         2",
        "                                 3",
        "             1 preparing 0 ms  2 stop 100 ms  3 resume 109 ms",
      ].join("\n"),
    );
  });

  test("nothing measured is nothing shown", () => {
    const series = { startMs: 0, bucketMs: 10, bytes: [] };
    expect(renderThroughputChart(series, [], unicode)).toBe("");
    expect(renderThroughputChart({ ...series, bytes: [0, 0] }, [], ascii)).toContain("0 Mbit/s");
  });

  test("any series fits into the width", () => {
    const mark = fc.record({
      label: fc.constantFrom("preparing", "stop"),
      atMs: fc.integer({ min: -2000, max: 20_000 }),
    });
    fc.assert(
      fc.property(
        fc.array(fc.nat(10_000_000), { maxLength: 1500 }),
        fc.array(mark, { maxLength: 50 }),
        fc.integer({ min: 40, max: 200 }),
        fc.boolean(),
        (bytes, marks, width, isUnicode) => {
          const series = { startMs: -1000, bucketMs: 10, bytes };
          const text = renderThroughputChart(series, marks, { width, unicode: isUnicode });
          for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(width);
        },
      ),
    );
  });
});

test("the terminal's form comes from the locale", () => {
  expect(terminalForm(100, { LANG: "de_DE.UTF-8" })).toEqual({ width: 100, unicode: true });
  expect(terminalForm(undefined, { LANG: "de_DE.UTF-8", LC_ALL: "C" })).toEqual({
    width: 80,
    unicode: false,
  });
});
