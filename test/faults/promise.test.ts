import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Faults around the promise: the guest runs at the destination, once, and everybody comes to know it. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.shared();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

/** The test suite leaves out what steps.test.ts shows as well. */
const [sourceHeard, destinationHeard] = process.env.SOJOURN_FAULTS_ALL
  ? [
      ["stop", "promise", "continue", "verifying"],
      ["armed", "continue"],
    ]
  : [["continue"], ["armed"]];

test.each(sourceHeard)(
  "[rows 3, 4] the source's daemon is killed on hearing of %s and comes back",
  async (phase) => {
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.phase(phase);
    // The daemon's own start, while nobody else could thaw the guest, comes on top of the deadline.
    fault.allowFreeze(5_000);
    fault.signal(fault.daemonOn("host-a"), "SIGKILL");
    await fault.restart("host-a");
    // Who follows it sees the daemon go and come back.
    await migration.ended.catch(() => {});
    await fault.recovered("host-a");
    await fault.recovered("host-b");
    await fault.expectSettled(id);
  },
);

test.each(destinationHeard)(
  "[rows 5, 6] the destination's daemon is killed on hearing of %s and comes back",
  async (phase) => {
    const migration = fault.migrate("host-a", "host-b");
    await migration.phase(phase);
    fault.signal(fault.daemonOn("host-b"), "SIGKILL");
    await fault.restart("host-b");
    const { exitCode, last } = await migration.ended;
    if (exitCode === 0) {
      expect(last).toMatchObject({ type: "report", outcome: "completed" });
      await fault.expectAway();
      await fault.returnHome();
    } else {
      expect(exitCode).toBe(4);
      expect(last).toMatchObject({ type: "error", guest_state: "running-at-source" });
      await fault.expectHomeAndClean();
    }
  },
);

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 14, 15] the destination's QEMU freezes before the switchover: it never runs the guest, even thawed", async () => {
    const migration = fault.migrate("host-a", "host-b");
    await migration.phase("armed");
    const frozen = fault.qemuOn("host-b");
    fault.signal(frozen, "SIGSTOP");
    expect(await migration.ended).toMatchObject({
      exitCode: 4,
      last: { type: "error", guest_state: "running-at-source" },
    });
    expect(() => process.kill(frozen, "SIGCONT")).toThrow("ESRCH");
    await fault.expectSessionAlive(40_000);
    await fault.expectHomeAndClean();
  });
}

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 46] daemons restart while the guest is away: it goes on, both know where it is, and it comes home", async () => {
    expect((await fault.migrate("host-a", "host-b").ended).exitCode).toBe(0);
    const qemu = fault.qemuOn("host-b");
    await Promise.all([fault.restart("host-a"), fault.restart("host-b")]);
    await fault.expectAway();
    expect(fault.qemuOn("host-b")).toBe(qemu);
    await fault.returnHome();
  });
}

test("[rows 46] the daemon is killed and restarts while the guest is at home: nothing changes", async () => {
  const qemu = fault.qemuOn("host-a");
  await fault.kill("host-a");
  await fault.expectSessionAlive();
  await fault.restart("host-a");
  await fault.expectHomeAndClean();
  expect(fault.qemuOn("host-a")).toBe(qemu);
});

test("[rows 46] a daemon that is told to end does, and its guest goes on", async () => {
  const qemu = fault.qemuOn("host-a");
  expect(await fault.terminate("host-a", 15_000)).toBe(true);
  await fault.expectSessionAlive();
  await fault.restart("host-a");
  await fault.expectHomeAndClean();
  expect(fault.qemuOn("host-a")).toBe(qemu);
});

test("[rows 47] a second daemon is refused, and so is an address that somebody else has", async () => {
  const daemon = ["sojourn", "daemon", "--config", "/etc/sojourn/sojourn.toml"];
  const second = await fault.exec("host-b", daemon);
  expect(second).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining("SOJ_ALREADY_RUNNING"),
  });
  await fault.kill("host-b");
  const listener = fault.spawn("host-b", ["node", "-e", listen, "7707", "172.16.2.2"]);
  try {
    await new Promise((resolve) => listener.stdout?.once("data", resolve));
    const late = await fault.exec("host-b", daemon);
    expect(late).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining("172.16.2.2:7707"),
    });
  } finally {
    listener.kill();
  }
  const alone = await fault.exec("host-b", ["sojourn", "guest", "ls", "--json"]);
  expect(alone.exitCode).toBe(7);
  await fault.restart("host-b");
  await fault.expectHomeAndClean();
});

test("an unknown key in the configuration is named with its place, and the daemon does not start", async () => {
  const script = 'sed "s/^level = /levle = /" /etc/sojourn/sojourn.toml > /run/wrong.toml';
  await fault.run("host-b", ["sh", "-c", script]);
  const refused = await fault.exec("host-b", [
    ...["sojourn", "daemon", "--config", "/run/wrong.toml"],
  ]);
  await fault.run("host-b", ["rm", "/run/wrong.toml"]);
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toMatch(/wrong\.toml: line \d+: unknown key log\.levle/);
});

const listen =
  "require('node:net').createServer().listen(+process.argv[1], process.argv[2], () => console.log('listening'))";
