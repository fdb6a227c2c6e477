import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { guestDefinitionFromJson } from "../../src/hypervisor/definition.ts";
import { guestFiles } from "../../src/lab/guest-image.ts";
import { TestLab } from "../support/lab.ts";
import { migrationStatus, QemuHost } from "../support/qemu-host.ts";

/** Mbit/s; the guest writes three times as fast, over and over. */
const linkMbps = 200;
const downtimeLimitMs = 300;
const writer = `sojourn.memcheck=32 sojourn.dirty_mbps=${3 * linkMbps}`;

describe("a guest that writes faster than the link", () => {
  let lab: TestLab;

  beforeAll(async () => {
    const options = ["--link-mbps", String(linkMbps), "--guest-append", writer];
    lab = await TestLab.up(`busy${process.pid}`, ["--hosts", "2", ...options]);
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("is left alone by the policy gentle, which says why", async () => {
    const options = ["--policy", "gentle", "--timeout", "8", "--no-probe"];
    const { exitCode, error, lines } = await lab.migrate("host-a", "web1", "host-b", options);
    expect({ exitCode, error }).toMatchObject({
      exitCode: 4,
      error: { code: "SOJ_NOT_CONVERGING", guest_state: "running at host-a" },
    });
    expect(error?.message).toMatch(
      /policy gentle.* will not converge: dirties \d+ Mbit\/s, link \d+/,
    );
    const progress = lines.filter(({ type }) => type === "progress");
    expect(progress.at(-1)).toMatchObject({ forecast: { converges: false } });
    expect(progress.filter((line) => "throttle_percent" in line)).toEqual([]);
  });

  test("is slowed by balanced until it moves within the limit, or left alone; its session lives", async () => {
    const probe = ["--probe", "tcp-echo:7@client"];
    const options = ["--timeout", "25", ...probe];
    const { exitCode, report, error } = await lab.migrate("host-a", "web1", "host-b", options);
    if (report === null) {
      expect({ exitCode, code: error?.code }).toEqual({ exitCode: 4, code: "SOJ_NOT_CONVERGING" });
      return;
    }
    expect(report).toMatchObject({ outcome: "completed", probes: { tcp_echo: { broken: 0 } } });
    expect(report.throttled_percent).toBeGreaterThan(0);
    expect(report.blackout_ms).toBeLessThanOrEqual(downtimeLimitMs);
  });
});

describe("QEMU", () => {
  let here: QemuHost;
  let there: QemuHost;
  beforeEach(async () => {
    [here, there] = [await QemuHost.create(), await QemuHost.create()];
  });
  afterEach(async () => {
    await here[Symbol.asyncDispose]();
    await there[Symbol.asyncDispose]();
  });

  test("slows a guest no more once its stream is cancelled", async () => {
    const { kernel, initrd } = guestFiles({});
    const append = `console=ttyS0 quiet cryptomgr.notests=1 sojourn.memcheck=16 sojourn.dirty_mbps=600`;
    const definition = guestDefinitionFromJson({
      ...{ name: "web1", memory_mib: 96, kernel, initrd, append },
    });
    const source = await here.start(definition);
    const destination = await there.startIncoming(definition);
    await source.prepareOutgoing({
      ...{ downtimeLimitMs: 1, maxBandwidthBytesPerSecond: 30e6 },
      throttle: { initialPercent: 20, incrementPercent: 10, maximumPercent: 80 },
    });
    const { port } = await destination.listenForMigration("127.0.0.1", "host-a");
    await source.migrateTo("127.0.0.1", port, "host-b");
    const throttled = async () => (await source.migrationProgress()).throttlePercent;
    await expect.poll(throttled, { timeout: 30_000, interval: 100 }).toBeGreaterThan(0);
    const cancelled = migrationStatus(source, "cancelled");
    await source.cancelMigration();
    await cancelled;
    expect(await source.runState()).toBe("running");
    await expect.poll(throttled, { timeout: 2_000 }).toBeNull();
  });
});
