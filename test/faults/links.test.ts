import { afterAll, beforeAll, expect, test } from "vitest";
import { cutLink } from "./support/cut-links.ts";
import { FaultLab } from "./support/fault-lab.ts";
import { askMonitor } from "./support/guest-monitor.ts";
import { haltAt } from "./support/halted-migration.ts";
import { type CodePlace, PausePoint } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";
import { smallSendBuffers } from "./support/small-send-buffers.ts";

/** Links between the hosts that go silent around the switchover; links.long.test.ts has those that take minutes. */
let fault: FaultLab;

/** Everything is prepared and nothing confirmed: the next word of the destination decides. */
const whileArming: CodePlace = {
  text: "await context.network.routing.arm(",
  condition: "true",
};

/** After migrate-continue, before the destination is asked. */
const afterContinue: CodePlace = {
  text: "const unsubscribe = facts.instance.onEvent(",
  condition: "true",
};

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.shared();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 20] both links are cut when the guest is about to be stopped: it goes on at the source", async () => {
  // The little that is left would fit into a large one, and QEMU would believe it sent.
  await using _small = await smallSendBuffers(fault, "host-a");
  await using halted = await haltAt(fault, "host-a", whileArming);
  const { id, migration } = halted;
  {
    await using cut = await cutLink(fault, "both");
    await halted.goOn();
    expect(await migration.ended).toMatchObject({
      exitCode: 4,
      last: { type: "error", guest_state: "running-at-source" },
    });
    expect(await cut.droppedPackets()).toBeGreaterThan(0);
    expect(await fault.placeAt("host-a")).toEqual({ state: "running", host: "host-a" });
  }
  expect(await fault.journaled("host-a", id)).not.toContain("promise");
  await fault.kill("host-b");
  await fault.restart("host-b");
  expect(await fault.expectSettled(id)).toBe("home");
});

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 21a] the return path of the stream is lost after migrate-continue: the daemons say who runs the guest", async () => {
    const migration = fault.migrate("host-a", "host-b");
    await migration.streaming();
    {
      await using cut = await cutLink(fault, "return path");
      expect(migration.hasSeen("stop")).toBe(false);
      expect(await migration.ended).toMatchObject({
        exitCode: 0,
        last: { type: "report", outcome: "completed" },
      });
      expect(await cut.droppedPackets()).toBeGreaterThan(0);
      await fault.expectAway();
    }
    await fault.returnHome();
  });
}

test("[rows 4, 21a] the stream's connection breaks after migrate-continue and the source's daemon dies: the source stays stopped although QEMU reports failed", async () => {
  fault.allowFreeze(5_000);
  await using source = await PausePoint.set(fault, "host-a", afterContinue);
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.phase("preparing");
  {
    await migration.streaming();
    await using _cut = await cutLink(fault, "return path");
    await source.reached;
    // The destination holds the guest; its word never reaches the source's QEMU, whose connection now breaks.
    await expect.poll(() => fault.journaled("host-b", id)).toContain("takeover");
    const kill = ["ss", "-K", "state", "connected", "dst", "172.16.2.2", "dport", "!=", ":7707"];
    await fault.run("host-a", kill);
    await fault.kill("host-a");
    const ask = () => askMonitor(fault, "host-a", ["query-migrate", "query-status"]);
    await expect.poll(async () => (await ask())[0]?.status).toBe("failed");
    expect((await ask())[1]?.running).toBe(false);
  }
  await fault.restart("host-a");
  await migration.ended.catch(() => {});
  expect(await fault.expectSettled(id)).toBe("away");
});
