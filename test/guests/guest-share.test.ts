import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { labNodePrefix } from "../../src/lab/index.ts";
import { holderOf } from "../../src/lab/nodes.ts";
import { delay, monotonicMs } from "../../src/platform/clock.ts";
import { daemonOf } from "../support/daemon-of.ts";
import { TestLab } from "../support/lab.ts";

const linkMbps = 40;
const sharePercent = 80;
/** Where host-b takes guests, beside its underlay address. */
const arrivals = "172.16.2.77";

let lab: TestLab;

beforeAll(async () => {
  const options = ["--hosts", "2", "--guests", "2", "--link-mbps", String(linkMbps)];
  lab = await TestLab.up(`share${process.pid}`, options);
  await lab.run("host-b", ["ip", "address", "add", `${arrivals}/24`, "dev", "eth0"]);
  await lab.configure("host-b", `[migration]\naddress = "${arrivals}"`);
  await lab.configure("host-a", `[migration]\nlink_mbps = ${linkMbps}`);
}, 120_000);
afterAll(() => lab?.[Symbol.asyncDispose]());

test("a guest keeps its share of the link while another moves, to the address that is meant for it", async () => {
  const stream = start("client", ["busybox", "nc", "10.1.0.11", "19"]);
  try {
    await until(async () => (await receivedMbps(500)) > 0.8 * linkMbps);
    const share = ["--guest-share", String(sharePercent), "--no-probe"];
    const moved = lab.migrate("host-a", "web1", "host-b", share);
    await until(async () => (await streamsTo(arrivals)) > 0);
    // Alone with a stream that is not limited, TCP would leave it about half.
    expect(await receivedMbps(4_000)).toBeGreaterThan(0.8 * (sharePercent / 100) * linkMbps);
    const [migration] = await Array.fromAsync(
      daemonOf(lab.name, "host-a").eachMigration({ isOpen: true }),
    );
    await daemonOf(lab.name, "host-a").cancelMigration(migration?.id ?? "");
    expect((await moved).exitCode).toBe(6);
  } finally {
    stream.kill();
    await once(stream, "close");
  }
}, 60_000);

function start(node: string, command: readonly string[]): ChildProcess {
  const [program, ...args] = [...labNodePrefix(lab.name, node), ...command];
  return spawn(program as string, args, { stdio: "ignore" });
}

/** What reaches the client for so long. */
async function receivedMbps(durationMs: number): Promise<number> {
  const [before, beganMs] = [receivedBytes(), monotonicMs()];
  await delay(durationMs);
  return ((receivedBytes() - before) * 8) / 1000 / (monotonicMs() - beganMs);
}

function receivedBytes(): number {
  const devices = readFileSync(`/proc/${holderOf(lab.name, "client").pid}/net/dev`, "utf8");
  return Number(/^\s*eth0:\s*(\d+)/m.exec(devices)?.[1]);
}

/** Connections of host-a's to the address, whose port is none of a daemon's. */
async function streamsTo(address: string): Promise<number> {
  const shown = await lab.run("host-a", ["ss", "-tnH", "state", "established", "dst", address]);
  return shown.split("\n").filter((line) => line !== "").length;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = monotonicMs() + 30_000;
  while (!(await isSo())) {
    if (monotonicMs() > giveUpAt) throw new Error("it never came to that");
    await delay(50);
  }
}
