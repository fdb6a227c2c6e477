import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { downLab } from "../../src/lab/index.ts";
import { existingNamespaces } from "../../src/lab/namespaces.ts";
import { finished, runSojourn, said, spawnSojourn } from "../support/sojourn-process.ts";

const figure = z.number().min(0).nullable();
const statistics = z.strictObject({ median: figure, p95: figure, max: figure });
const strategy = z.strictObject({
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
});
const spread = z.strictObject({ median: figure, min: figure, max: figure });
const kept = z.strictObject({ within: z.int(), of: z.int(), share: figure });
const moves = z.strictObject({
  outcomes: z.record(z.string(), z.int()),
  ...{ blackout_ms: spread, tcp_echo_outage_ms: spread, tcp_stream_outage_ms: spread },
  ...{ lasted_ms: spread, transferred_bytes: spread, passes: spread, dirty_mbps: spread },
  ...{ throttled_percent: spread, post_copy_ms: spread, blackout_limit_ms: spread },
  within_limit: kept,
});
const ratio = z.strictObject({ tcp_echo: figure, tcp_stream: figure });
const summary = z.strictObject({
  strategies: z.strictObject({ lossless: strategy, "same-subnet": strategy, pause: strategy }),
  ratios: z.strictObject({
    "lossless/same-subnet": ratio,
    "lossless/pause": ratio,
    "same-subnet/pause": ratio,
  }),
  moves,
  within_limit: kept,
  corrupt_pages: figure,
});

const lab = `bt${process.pid}`;
let out: string;

beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), "sojourn-bench-"));
});
afterEach(async () => {
  await downLab(lab);
  await rm(out, { recursive: true, force: true });
});

describe("sojourn bench", () => {
  if (process.env.SOJOURN_FAULTS_ALL) {
    test("measures strategies and controls, and tells", async () => {
      const flags = ["--runs", "1", "--memory", "96", "--dirty", "2", "--out", out, "--lab", lab];
      const { exitCode, stdout, stderr } = await runSojourn(["bench", "--json", ...flags]);
      expect(exitCode, stderr + stdout.slice(-2_000)).toBe(0);
      const lines = stdout.trim().split("\n");
      const { strategies, ratios } = summary.parse(JSON.parse(lines.at(-1) ?? ""));
      expect(strategies.lossless).toMatchObject({ runs: 1, failed: 0, sessions_broken: 0 });
      for (const one of [strategies.lossless, strategies["same-subnet"], strategies.pause]) {
        expect(one.tcp_echo_outage_ms.median).toBeGreaterThan(0);
        expect(one.tcp_stream_outage_ms.median).toBeGreaterThan(0);
        expect(one.blackout_ms.median).toBeGreaterThan(0);
      }
      expect(strategies.lossless.control_ms.median).toBeGreaterThan(0);
      expect(ratios["lossless/same-subnet"].tcp_echo).toBeGreaterThan(0);

      const runs = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === "run");
      expect(runs.map((run) => run.round)).toEqual([1, 1, 1]);
      const results = JSON.parse(await readFile(join(out, "results.json"), "utf8"));
      expect(results).toMatchObject({
        ...{ format: "sojourn-bench", progress: "complete" },
        machine: { accelerator: expect.stringMatching(/kvm|tcg/), qemu: expect.any(String) },
        measured: [{ memory_mib: 96, dirty_mbytes_per_second: 2 }],
      });
      for (const run of results.measured[0].runs) {
        expect(run.throughput.mbps.length, run.strategy).toBeGreaterThan(200);
        expect(run.timeline.map((entry: { phase: string }) => entry.phase)).toContain("stop");
      }
      expect((await readFile(join(out, "runs.csv"), "utf8")).trim().split("\r\n")).toHaveLength(4);
      const page = await readFile(join(out, "report.html"), "utf8");
      expect(page.match(/class="blackout"/g)).toHaveLength(6);
      expect(existingNamespaces(lab)).toEqual([]);
    });
  }

  if (process.env.SOJOURN_FAULTS_ALL) {
    test("keeps what it has when it is interrupted, and leaves no lab", async () => {
      const flags = ["--runs", "9", "--strategies", "lossless", "--out", out, "--lab", lab];
      const child = spawnSojourn(["bench", "--json", ...flags]);
      const end = finished(child);
      await said(child, '"run":2,"runs":9,"strategy"');
      child.kill("SIGINT");
      const { exitCode, stdout } = await end;
      expect(exitCode).toBe(6);
      const [partial, error] = stdout
        .trim()
        .split("\n")
        .slice(-2)
        .map((line) => JSON.parse(line));
      expect(partial).toMatchObject({ type: "partial", strategies: { lossless: { runs: 1 } } });
      expect(error).toMatchObject({ type: "error", code: "SOJ_BENCH_INTERRUPTED" });
      const results = JSON.parse(await readFile(join(out, "results.json"), "utf8"));
      expect(results.progress).toBe("interrupted");
      expect(results.measured[0].runs).toHaveLength(1);
      expect(existsSync(join(out, "report.html"))).toBe(true);
      expect(existingNamespaces(lab)).toEqual([]);
    });
  }

  test("does not touch a folder that is not its own", async () => {
    await writeFile(join(out, "runs.csv"), "mine");
    const { exitCode, stderr } = await runSojourn(["bench", "--out", out, "--lab", lab]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain("SOJ_BENCH_OUT");
    expect(await readFile(join(out, "runs.csv"), "utf8")).toBe("mine");
  });
});
