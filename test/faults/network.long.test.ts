import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tunnelName } from "../../src/tunnels/identity.ts";
import { FaultLab, type hosts } from "./support/fault-lab.ts";
import { haltAt } from "./support/halted-migration.ts";
import { afterRecord, beforeRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Networks that change under a migration, and tools that do not answer. */
let fault: FaultLab;
let folder: string;

const tunnel = tunnelName({
  kind: "ipip",
  localAddress: "172.16.1.2",
  remoteAddress: "172.16.2.2",
});

const tunnelBack = tunnelName({
  kind: "ipip",
  localAddress: "172.16.2.2",
  remoteAddress: "172.16.1.2",
});

const backAtSource = { exitCode: 4, last: { type: "error", guest_state: "running-at-source" } };

recordEachFault(() => fault);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sojourn-tools-"));
  fault = await FaultLab.up("fault-network");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await fault?.[Symbol.asyncDispose]();
});

test("[rows 32] the tunnel is down when the route is to be changed: the guest goes on at the source", async () => {
  await using halted = await haltAt(fault, "host-a", afterRecord("promise"));
  const { id, migration } = halted;
  fault.injected += 1;
  await fault.run("host-a", ["ip", "link", "set", tunnel, "down"]);
  await halted.goOn();
  expect(await migration.ended).toMatchObject(backAtSource);
  expect(await fault.expectSettled(id)).toBe("home");
});

test("[rows 33] somebody flushes the ruleset, rules and the guest's route while it is away and the daemons are down: their start repairs them", async () => {
  expect((await fault.migrate("host-a", "host-b").ended).exitCode).toBe(0);
  await Promise.all([fault.kill("host-a"), fault.kill("host-b")]);
  fault.injected += 4;
  await fault.run("host-b", ["nft", "flush", "ruleset"]);
  await fault.run("host-a", ["nft", "flush", "ruleset"]);
  await fault.run("host-a", ["ip", "route", "del", "10.1.0.10/32"]);
  const rules = await fault.run("host-b", ["ip", "rule"]);
  const priority = /^(\d+):.*from 10\.1\.0\.10/m.exec(rules)?.[1] ?? "";
  await fault.run("host-b", ["ip", "rule", "del", "priority", priority]);
  // What is not ours stays.
  await fault.run("host-b", ["nft", "add", "table", "ip", "foreign"]);
  await Promise.all([fault.restart("host-a"), fault.restart("host-b")]);
  expect(await fault.run("host-b", ["nft", "list", "tables"])).toContain("table ip foreign");
  await fault.run("host-b", ["nft", "delete", "table", "ip", "foreign"]);
  await fault.expectAway();
  await fault.returnHome();
});

const changes: [(typeof hosts)[number], string][] = [
  ["host-a", "nft flush ruleset"],
  ["host-b", "nft flush ruleset"],
  ["host-a", "ip route del 10.1.0.10/32"],
  ["host-b", "ip rule del from 10.1.0.10"],
  ["host-a", `ip link del ${tunnel}`],
  ["host-b", `ip link del ${tunnelBack}`],
  ["host-a", "tc qdisc del dev eth0 clsact"],
  ["host-b", "tc qdisc del dev eth0 clsact"],
];

test("[rows 33] the same, tunnels and their filters too, while the daemons run: each is repaired within two seconds", async () => {
  expect((await fault.migrate("host-a", "host-b").ended).exitCode).toBe(0);
  const tookMs: Record<string, number> = {};
  for (const [host, line] of changes) {
    fault.injected += 1;
    await fault.run(host, line.split(" "));
    tookMs[`${host}: ${line}`] = await fault.repairMs(host);
  }
  expect(Math.max(...Object.values(tookMs)), JSON.stringify(tookMs)).toBeLessThan(2_000);
  await fault.expectAway();
  await fault.returnHome();
});

test("[rows 34] a crash leaves everything of a prepared migration behind: the next start removes it", async () => {
  await using halted = await haltAt(fault, "host-a", afterRecord("pausing"));
  const { id, migration } = halted;
  await fault.kill("host-a");
  await fault.kill("host-b");
  fault.signal(fault.qemuOn("host-b"), "SIGKILL");
  expect(await fault.run("host-a", ["ip", "-br", "link"])).toContain(tunnel);
  await Promise.all([fault.restart("host-a"), fault.restart("host-b")]);
  await migration.ended.catch(() => {});
  expect(await fault.expectSettled(id)).toBe("home");
});

test("[rows 37] until the takeover nobody on the destination's link answers for the guest or its gateway, nor on home's for the guest", async () => {
  // The destination's daemon stands still, and its guest with it.
  fault.allowFreeze(20_000);
  await using halted = await haltAt(fault, "host-b", beforeRecord("takeover"));
  const { id, migration } = halted;
  fault.injected += 1;
  expect(await arpAnswers("host-b", "172.16.2.2")).toBeGreaterThan(0);
  expect(await arpAnswers("host-b", "10.1.0.10")).toBe(0);
  expect(await arpAnswers("host-b", "10.1.0.1")).toBe(0);
  expect(await arpAnswers("host-a", "10.1.0.10")).toBe(0);
  await halted.goOn();
  expect((await migration.ended).exitCode).toBe(0);
  expect(await fault.expectSettled(id)).toBe("away");
});

/** Answers to one ARP request of the router on its link to a host. */
async function arpAnswers(host: string, address: string): Promise<number> {
  const command = ["busybox", "arping", "-c", "1", "-w", "1", "-I", host, address];
  const { stdout } = await fault.exec("router", command);
  return Number(/Received (\d+) response/.exec(stdout)?.[1]);
}

const tools: [string, string, string][] = [
  ["nft", "hangs", "exec sleep 600"],
  ["tc", "prints garbage and succeeds", "head -c 4096 /dev/urandom; exit 0"],
  ["nft", "prints 100 MB", "exec head -c 100000000 /dev/zero"],
  ["ip", "kills itself", "kill -9 $$"],
];

test.each(tools)(
  "[rows 41] at the destination %s %s: the migration is taken back",
  async (tool, _how, script) => {
    await using broken = await brokenTool("host-b", tool, script);
    const migration = await fault.migrateUnplanned("host-a", "host-b");
    const { exitCode, last } = await migration.ended;
    await broken[Symbol.asyncDispose]();
    if (exitCode === 0) {
      // It went without that tool's word: then it must be right.
      await fault.expectAway();
      await fault.returnHome();
      return;
    }
    expect({ exitCode, last }).toMatchObject(backAtSource);
    // What could not be removed while the tool was broken is removed at the next start.
    await fault.restart("host-b");
    await fault.expectHomeAndClean();
  },
);

/** A program in the tool's place on one host. */
async function brokenTool(host: string, tool: string, script: string): Promise<AsyncDisposable> {
  const program = join(folder, tool);
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  const real = (await fault.run(host, ["sh", "-c", `readlink -f $(command -v ${tool})`])).trim();
  fault.injected += 1;
  await fault.run(host, ["mount", "--bind", program, real]);
  let mounted = true;
  return {
    [Symbol.asyncDispose]: async () => {
      if (mounted) await fault.run(host, ["umount", real]);
      mounted = false;
    },
  };
}
