import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createControlRunner } from "../../src/bench/controls/index.ts";
import type { Runner, RunRequest } from "../../src/bench/run.ts";
import { downLab } from "../../src/lab/index.ts";
import { labPaths } from "../../src/lab/layout.ts";
import { labProcesses } from "../../src/lab/processes.ts";
import { hasArgument } from "../../src/platform/process-identity.ts";
import { kernelState, TestLab } from "../support/lab.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const soon = { timeout: 15_000, interval: 5 };
const nodes = ["host-a", "host-b", "router", "client"];
const load = ["echo", "stream", "packet"] as const;
const sameSubnet: RunRequest = { strategy: "same-subnet", load, pauseMs: 0 };

describe("the benchmark's controls", () => {
  let lab: TestLab;
  let before: unknown;

  beforeAll(async () => {
    lab = await TestLab.up(`ctl${process.pid}`, ["--hosts", "2"]);
    before = await traces();
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("a plain migration there and back, a pause, and nothing is left", async () => {
    const { signal } = new AbortController();
    {
      await using runner = await create(signal);
      for (const [from, to] of [
        ["host-a", "host-b"],
        ["host-b", "host-a"],
      ]) {
        const { probes, timeline, ...run } = await runner.run(sameSubnet, signal);
        expect(timeline.map(({ phase, host }) => [phase, host])).toEqual([
          ["stop", from],
          ["resume", to],
        ]);
        expect(run.blackoutMs).toBeGreaterThan(0);
        expect(run.totalMs).toBeGreaterThan(run.blackoutMs ?? Number.POSITIVE_INFINITY);
        expect(run.controlMs).toBeNull();
        const [stopMs = 0, resumeMs = 0] = timeline.map(({ at_ms }) => at_ms);
        expect(Math.abs(resumeMs - stopMs - (run.blackoutMs ?? 0))).toBeLessThan(0.1);
        expect(run.throughput?.step_ms).toBe(10);
        expect(run.throughput?.mbps.length).toBeGreaterThan(200);
        for (const session of [probes.tcp_echo, probes.tcp_stream]) {
          expect(session).toMatchObject({ sessions: 1, broken: 0 });
          // What the guest had sent before it stopped still arrives a moment later.
          expect(session?.outage_ms).toBeGreaterThan((run.blackoutMs ?? 0) - 5);
        }
        const { sent = 0, lost = 0, outage_ms } = probes.packet ?? {};
        expect(sent).toBeGreaterThan(1_000);
        expect(lost > 0 || (outage_ms ?? 0) > (run.blackoutMs ?? 0)).toBe(true);
      }

      const pause: RunRequest = { strategy: "pause", load: ["echo"], pauseMs: 50 };
      const paused = await runner.run(pause, signal);
      expect(paused.blackoutMs).toBeGreaterThanOrEqual(50);
      expect(paused.blackoutMs).toBeLessThan(80);
      expect(paused.probes.tcp_echo).toMatchObject({ sessions: 1, broken: 0 });
      expect(paused.probes.tcp_echo?.outage_ms).toBeGreaterThan(45);
      expect(paused.timeline.map(({ host }) => host)).toEqual(["host-a", "host-a"]);
      expect(paused.throughput).toBeNull();

      await expect(create(signal)).rejects.toMatchObject({ code: "SOJ_BENCH_BUSY" });
      await expect(runner.run({ ...pause, pauseMs: -1 }, signal)).rejects.toMatchObject({
        code: "SOJ_USAGE",
      });
      await expect(runner.run({ ...pause, strategy: "lossless" }, signal)).rejects.toMatchObject({
        code: "SOJ_USAGE",
      });
    }
    expect(await traces()).toEqual(before);
  });

  test("an interruption in the middle of a move leaves the guest running, and then nothing", async () => {
    const interruption = new AbortController();
    {
      await using runner = await create(new AbortController().signal);
      const { signal } = interruption;
      const run = runner.run({ ...sameSubnet, load: [] }, signal);
      const interrupted = expect(run).rejects.toThrow("enough");
      await vi.waitFor(() => expect(guestProcesses()).toHaveLength(2), soon);
      interruption.abort(new Error("enough"));
      await interrupted;
      expect(guestProcesses()).toHaveLength(1);
      const next = await runner.run(
        { ...sameSubnet, load: ["echo"] },
        new AbortController().signal,
      );
      expect(next.probes.tcp_echo).toMatchObject({ broken: 0 });
    }
    expect(await traces()).toEqual(before);
  });

  test("an interruption while the guest boots leaves nothing", async () => {
    const interruption = new AbortController();
    const creating = create(interruption.signal);
    const interrupted = expect(creating).rejects.toThrow("enough");
    await vi.waitFor(() => expect(guestProcesses()).toHaveLength(1), soon);
    interruption.abort(new Error("enough"));
    await interrupted;
    expect(await traces()).toEqual(before);
  });

  test("what a killed owner leaves goes with the next one, or with the lab", async () => {
    await killedOwner();
    expect(guestProcesses()).toHaveLength(1);
    await killedOwner();
    expect(guestProcesses()).toHaveLength(1);
    await downLab(lab.name);
    expect(guestProcesses()).toEqual([]);
    expect(existsSync(labPaths(lab.name).state)).toBe(false);
  });

  function create(signal: AbortSignal): Promise<Runner> {
    return createControlRunner({ ...options(lab.name), logger: pino({ level: "silent" }), signal });
  }

  /** Makes the controls in a process that then ends without a chance to clean up. */
  async function killedOwner(): Promise<void> {
    const script = `
      import { pino } from "pino";
      import { createControlRunner } from "${root}src/bench/controls/index.ts";
      const logger = pino({ level: "silent" });
      const { signal } = new AbortController();
      await createControlRunner({ ...${JSON.stringify(options(lab.name))}, logger, signal });
      process.kill(process.pid, "SIGKILL");`;
    const args = ["--input-type=module-typescript", "--eval", script];
    const end = await execa(process.execPath, args, { reject: false, cwd: root, timeout: 60_000 });
    if (end.signal !== "SIGKILL") throw new Error(`it did not get that far: ${end.stderr}`);
  }

  /** Everything that the controls could leave: kernel objects, processes, files. */
  async function traces(): Promise<unknown> {
    const states = nodes.map(async (node) => [node, await kernelState(lab, node)] as const);
    return {
      kernel: Object.fromEntries(await Promise.all(states)),
      guests: guestProcesses(),
      files: readdirSync(labPaths(lab.name).state).sort(),
    };
  }

  function guestProcesses(): number[] {
    const ofGuest = ({ pid }: { pid: number }) => hasArgument(pid, "guest=plain1,debug-threads=on");
    return labProcesses(lab.name)
      .filter(ofGuest)
      .map(({ pid }) => pid);
  }
});

function options(lab: string) {
  return { lab, from: "host-a", to: "host-b", memoryMib: 128, append: "" };
}
