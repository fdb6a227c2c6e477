import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ThroughputTimeline } from "../../../src/probe/throughput-timeline.ts";
import { fakeServices, reportWith } from "../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";
import { runSojourn } from "../../support/sojourn-process.ts";

let stored: ThroughputTimeline | null;
let daemon: LocalDaemon;

beforeEach(async () => {
  stored = null;
  const services = fakeServices({
    getReport: async () => reportWith({ guest: "<web1>" }),
    getThroughput: async () => stored,
    addProbeResults: async (_id, probes, flows, throughput) => {
      stored = throughput ?? null;
      return reportWith({ probes, flows });
    },
  });
  daemon = await startLocalDaemon(() => services);
});
afterEach(() => daemon[Symbol.asyncDispose]());

const longest = { start_ms: -2_000.5, step_ms: 10, mbps: Array(2_000).fill(12_345.6) };

describe("the throughput of a migration", () => {
  it("is stored with the report and read back, the longest one too", async () => {
    expect(await daemon.client.getThroughput("m1")).toBeNull();
    await daemon.client.addProbeResults("m1", {}, null, longest);
    expect(await daemon.client.getThroughput("m1")).toEqual(longest);
  });

  it.each([
    { ...longest, mbps: [...longest.mbps, 1] },
    { ...longest, mbps: [-1] },
    { ...longest, step_ms: 0 },
    { ...longest, more: 1 },
  ])("is refused when it is too long or not one (%#)", async (wrong) => {
    await expect(daemon.client.addProbeResults("m1", {}, null, wrong)).rejects.toMatchObject({
      code: "SOJ_USAGE",
    });
    expect(stored).toBeNull();
  });

  it("is drawn by report --html", async () => {
    stored = longest;
    const env = { SOJOURN_SOCKET: daemon.socketPath };
    const folder = await mkdtemp(join(tmpdir(), "sojourn-page-"));
    try {
      const file = join(folder, "page.html");
      const plain = await runSojourn(["report", "m1", "--json"], env);
      const written = await runSojourn(["report", "m1", "--json", "--html", file], env);
      expect(written).toEqual(plain);
      const page = readFileSync(file, "utf8");
      expect(page).toContain('class="area"');
      expect(page).toContain("&lt;web1&gt;");
      expect((await runSojourn(["report", "m1", "--html", "-"], env)).stdout).toBe(page);
      const failed = await runSojourn(["report", "m1", "--html", join(folder, "no", "x")], env);
      expect(failed.exitCode).toBe(1);
      expect(failed.stderr).toContain("SOJ_WRITE_FAILED");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
