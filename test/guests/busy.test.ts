import { expect, test } from "vitest";
import { TestLab } from "../support/lab.ts";

/** Mbit/s; the guest writes three times as fast, over and over. */
const linkMbps = 300;
const downtimeLimitMs = 300;
const writer = `sojourn.memcheck=32 sojourn.dirty_mbps=${3 * linkMbps}`;

test("a guest that writes faster than the link is slowed by balanced until it moves within the limit, or left alone; its session lives", async () => {
  const writes = ["--link-mbps", String(linkMbps), "--guest-append", writer];
  await using lab = await TestLab.up(`busy${process.pid}`, ["--hosts", "2", ...writes]);
  const options = ["--timeout", "18", "--probe", "tcp-echo:7@client"];
  const { exitCode, report, error } = await lab.migrate("host-a", "web1", "host-b", options);
  if (report === null) {
    expect({ exitCode, code: error?.code }).toEqual({ exitCode: 4, code: "SOJ_NOT_CONVERGING" });
    return;
  }
  expect(report).toMatchObject({ outcome: "completed", probes: { tcp_echo: { broken: 0 } } });
  expect(report.throttled_percent).toBeGreaterThan(0);
  expect(report.blackout_ms).toBeLessThanOrEqual(downtimeLimitMs);
});
