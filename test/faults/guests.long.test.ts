import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab, guestAddress } from "./support/fault-lab.ts";
import { askMonitor } from "./support/guest-monitor.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Guests that stop, restart or stand by themselves while they are moved. */
let fault: FaultLab;
let overlay: string;

const slow = "max_bandwidth_mbps = 40";

recordEachFault(() => fault);

beforeAll(async () => {
  overlay = mkdtempSync(join(tmpdir(), "sojourn-overlay-"));
  mkdirSync(join(overlay, "etc"));
  const script = join(overlay, "etc", "rc.local");
  writeFileSync(script, `#!/bin/sh\n${obey}\n`);
  chmodSync(script, 0o755);
  fault = await FaultLab.up("fault-guests", ["--guest-overlay", overlay]);
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(async () => {
  rmSync(overlay, { recursive: true, force: true });
  await fault?.[Symbol.asyncDispose]();
});

test("[rows 26] a guest that its user has paused stays paused, after a migration and after a roll-back", async () => {
  fault.allowFreeze(null);
  await tellMonitor("host-a", "stop");
  const migration = fault.migrate("host-a", "host-b");
  await migration.streaming();
  fault.signal(fault.qemuOn("host-b"), "SIGKILL");
  expect((await migration.ended).exitCode).toBe(4);
  expect(await fault.placeAt("host-a")).toEqual({ state: "paused", host: "host-a" });
  expect((await fault.migrate("host-a", "host-b").ended).exitCode).toBe(0);
  expect(await fault.placeAt("host-b")).toEqual({ state: "paused", host: "host-b" });
  await fault.expectOnlyCopyAt("host-b");
  await tellMonitor("host-b", "cont");
  await fault.expectAway();
  await fault.returnHome();
});

test.each([
  ["restarts", "reboot"],
  ["panics and restarts", "panic"],
])(
  "[rows 27] the guest %s in precopy: it goes on in one place, and what is said of it is true",
  async (_how, word) => {
    fault.allowFreeze(null);
    await fault.setMigrationPolicy("host-a", slow);
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.streaming();
    await tellGuest(word);
    const { exitCode } = await migration.ended;
    await fault.setMigrationPolicy("host-a", "");
    await bootedAgain();
    await fault.openSession();
    expect(await fault.expectSettled(id)).toBe(exitCode === 0 ? "away" : "home");
  },
);

test("[rows 27] the guest shuts down in precopy: the migration ends with it, nothing is started", async () => {
  fault.allowFreeze(null);
  await fault.setMigrationPolicy("host-a", slow);
  const migration = fault.migrate("host-a", "host-b");
  await migration.streaming();
  await tellGuest("poweroff");
  expect(await migration.ended).toMatchObject({
    exitCode: 9,
    last: { type: "error", code: "SOJ_GUEST_GONE" },
  });
  expect(fault.qemuProcesses()).toEqual([]);
  expect(await fault.placeAt("host-b")).toBeNull();
  await fault.setMigrationPolicy("host-a", "");
  await fault.run("host-a", ["sojourn", "guest", "start", "web1"]);
  await bootedAgain();
  await fault.openSession(60_000);
  await fault.expectHomeAndClean();
});

/** The guest does what a line on its port 99 says. */
const obey = `
(while true; do
  read -r word <<END
$(nc -l -p 99 </dev/null)
END
  case $word in
    reboot) echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger ;;
    panic) echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger ;;
    poweroff) echo 1 >/proc/sys/kernel/sysrq; echo o >/proc/sysrq-trigger ;;
  esac
done) &`;

async function tellGuest(word: string): Promise<void> {
  fault.injected += 1;
  const script = `const s = require("node:net").connect(99, "${guestAddress}", () => s.end("${word}\\n")); s.on("error", () => {}).on("close", () => process.exit(0)); setTimeout(() => process.exit(0), 3000)`;
  await fault.run("client", [process.execPath, "-e", script]);
}

/** Its monitor serves one client, so the daemon is away meanwhile. */
async function tellMonitor(host: string, command: string): Promise<void> {
  const before = fault.injected;
  await fault.kill(host);
  fault.injected = before;
  await askMonitor(fault, host, [command]);
  await fault.restart(host);
}

async function bootedAgain(): Promise<void> {
  const answers = async () =>
    (await fault.exec("client", ["ping", "-c", "1", "-W", "1", guestAddress])).exitCode;
  await expect.poll(answers, { timeout: 60_000, interval: 500 }).toBe(0);
}
