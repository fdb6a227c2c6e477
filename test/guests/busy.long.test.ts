import { describe, expect, test } from "vitest";
import type { MigrationReport } from "../../src/migrator/report.ts";
import { TestLab } from "../support/lab.ts";

const timeoutMs = 1_800_000;
/** Milliseconds, as configured by default. */
const [downtimeLimitMs, finishLimitMs] = [300, 2_000];

/**
 * Mbit/s of the link, and of a guest that writes the same 24 MiB over and over. One that writes by the clock makes up
 * for the time in which it is throttled: where its pace is the link's or more, `balanced` may leave it alone each time.
 */
const cells = [
  { linkMbps: 100, dirtyMbps: 50, policy: "gentle", limitMs: downtimeLimitMs, moves: 10 },
  { linkMbps: 200, dirtyMbps: 100, policy: "balanced", limitMs: downtimeLimitMs, moves: 10 },
  { linkMbps: 200, dirtyMbps: 200, policy: "balanced", limitMs: downtimeLimitMs, moves: 4 },
  { linkMbps: 400, dirtyMbps: 800, policy: "balanced", limitMs: downtimeLimitMs, moves: 4 },
  { linkMbps: 200, dirtyMbps: 800, policy: "finish", limitMs: finishLimitMs, moves: 10 },
] as const;

describe.each(cells)("$policy, $dirtyMbps Mbit/s dirtied, link $linkMbps", (cell) => {
  const { linkMbps, dirtyMbps, policy, limitMs, moves } = cell;
  const mayStay = policy === "balanced" && dirtyMbps >= linkMbps;

  test(`of the moves that complete, 95 of 100 are within ${limitMs} ms`, {
    timeout: timeoutMs,
  }, async () => {
    const append = `sojourn.memcheck=24 sojourn.dirty_mbps=${dirtyMbps}`;
    const options = ["--hosts", "2", "--link-mbps", String(linkMbps), "--guest-append", append];
    await using lab = await TestLab.up(`busylong${process.pid}`, options);
    const completed: MigrationReport[] = [];
    let [from, to] = ["host-a", "host-b"] as [string, string];
    for (let number = 1; number <= moves; number += 1) {
      const wish = ["--policy", policy, "--timeout", "60", "--probe", "tcp-echo:7@client"];
      const { report, error } = await lab.migrate(from, "web1", to, wish);
      if (report === null) {
        const alone = { code: "SOJ_NOT_CONVERGING", guest_state: "running-at-source" };
        expect(error, `move ${number}`).toMatchObject(alone);
      } else {
        expect(report.probes.tcp_echo, `move ${number}`).toMatchObject({ broken: 0 });
        completed.push(report);
        [from, to] = [to, from];
      }
    }
    const blackouts = completed.map(({ blackout_ms }) => blackout_ms ?? Number.POSITIVE_INFINITY);
    const within = blackouts.filter((ms) => ms <= limitMs);
    console.info(`${policy}: ${completed.length} of ${moves}, ms: ${blackouts.join(", ")}`);
    if (!mayStay) expect(completed.length, "completed").toBeGreaterThanOrEqual(0.9 * moves);
    const enough = 0.95 * blackouts.length;
    expect(within.length, blackouts.join(", ")).toBeGreaterThanOrEqual(enough);
  });
});
