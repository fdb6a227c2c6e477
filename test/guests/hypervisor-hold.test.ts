import { createConnection } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { guestDefinitionFromJson } from "../../src/hypervisor/definition.ts";
import type { GuestInstance } from "../../src/hypervisor/hypervisor.ts";
import { guestFiles } from "../../src/lab/guest-image.ts";
import {
  awaitConvergence,
  refuseEnded,
  StoppedByHypervisor,
} from "../../src/migrator/convergence.ts";
import { firstPassBandwidth, type Pace, paced, unpaced } from "../../src/migrator/pacing.ts";
import { PrecopyCourse } from "../../src/migrator/precopy-course.ts";
import { migrationStatus, QemuHost } from "../support/qemu-host.ts";

const memoryMib = 128;
const policy = {
  ...{ policy: "gentle" as const, postCopy: false, minimumPasses: 2 },
  ...{ downtimeLimitMs: 300, finishLimitMs: 2_000 },
  deadlineMs: 60_000,
  spentMs: 0,
  afterPass: 1,
  running: true,
};
const never = new AbortController().signal;
const unknownLink = {
  ...{ capacityBytesPerSecond: 0, limitBytesPerSecond: 0 },
  heldToBytesPerSecond: () => 0,
  unsentBytes: () => 0,
};

describe("QEMU does not stop a guest that has nothing left to send", () => {
  let here: QemuHost;
  let there: QemuHost;

  beforeEach(async () => {
    here = await QemuHost.create();
    there = await QemuHost.create();
  });
  afterEach(async () => {
    await here[Symbol.asyncDispose]();
    await there[Symbol.asyncDispose]();
  });

  async function begin(source: GuestInstance, destination: GuestInstance): Promise<void> {
    const { port } = await destination.listenForMigration("127.0.0.1", "host-a");
    await source.migrateTo("127.0.0.1", port, "host-b");
  }

  /** Follows the stream as a migration does, then stops the guest; gives the run state right after. */
  async function convergeAndStop(source: GuestInstance, pace: Pace): Promise<string> {
    const course = new PrecopyCourse(unknownLink);
    await awaitConvergence(source, pace, { ...policy, course }, () => {}, never);
    await pace.stoppable(never);
    const ready = migrationStatus(source, "pre-switchover");
    ready.catch(() => {});
    // Asked after the wait has begun, so that a switchover of QEMU's own is either seen here or awaited there.
    refuseEnded(await source.migrationProgress());
    const [, , runState] = await Promise.all([
      source.setOutgoingParameters({ maxBandwidthBytesPerSecond: 0, downtimeLimitMs: 10_000 }),
      source.stop(),
      source.runState(),
    ]);
    await ready;
    if (!pace.ownStop.includes(runState)) throw new StoppedByHypervisor();
    return runState;
  }

  test("however often it looks, where it can be told to wait for the stop", async () => {
    const source = await here.start();
    const destination = await there.startIncoming();
    const readiness = await source.prepareOutgoing({
      downtimeLimitMs: 1,
      maxBandwidthBytesPerSecond: 0,
    });
    expect(readiness).toEqual({ heldUntilStopped: true });
    await begin(source, destination);
    const manyPasses = source.waitForEvent(
      "pass 100",
      ({ name, data }) => name === "MIGRATION_PASS" && Number(data.pass) >= 100,
      { timeoutMs: 20_000 },
    );
    await manyPasses;
    expect((await source.migrationProgress()).status).toBe("active");
    expect(await source.runState()).toBe("running");
    const pace = unpaced;
    expect(pace.ownStop).toContain(await convergeAndStop(source, pace));

    const sent = migrationStatus(source, "completed");
    const loaded = migrationStatus(destination, "completed");
    await source.continueMigration();
    await Promise.all([sent, loaded]);
    expect(await source.runState()).toBe("postmigrate");
  });

  test("where it cannot (before QEMU 8.1), because the stream is slowed down", async () => {
    const monitor = join(here.runDir, "second-monitor");
    const { kernel, initrd } = guestFiles({});
    const definition = guestDefinitionFromJson({
      name: "web1",
      memory_mib: memoryMib,
      kernel,
      initrd,
      append: "console=ttyS0 quiet cryptomgr.notests=1 sojourn.memcheck=16 sojourn.dirty_mbps=200",
    });
    const extra = [...definition.extra_arguments, "-qmp", `unix:${monitor},server=on,wait=off`];
    const source = await here.start({ ...definition, extra_arguments: extra });
    const firstPassBytesPerSecond = firstPassBandwidth(memoryMib * 2 ** 20, 0);
    await source.prepareOutgoing({
      downtimeLimitMs: 1,
      maxBandwidthBytesPerSecond: firstPassBytesPerSecond,
    });
    await forgetSwitchoverAck(monitor);
    expect(await stoppedAfterAll(source, firstPassBytesPerSecond)).toBe("paused");

    /** On a busy machine a window's end may be missed; the stream is then begun again, as by a migration. */
    async function stoppedAfterAll(guest: GuestInstance, bandwidth: number): Promise<string> {
      for (let attempt = 1; ; attempt++) {
        const destination = await there.startIncoming(definition);
        await begin(guest, destination);
        const pace = paced(guest, { firstPassBytesPerSecond: bandwidth, maxBytesPerSecond: 0 });
        try {
          return await convergeAndStop(guest, pace);
        } catch (error) {
          if (!(error instanceof StoppedByHypervisor) || attempt === 4) throw error;
          const cancelled = migrationStatus(guest, "cancelled");
          await guest.cancelMigration();
          await cancelled;
          expect(await guest.runState()).toBe("running");
          await destination.quit(0);
          const downtimeLimitMs = 1;
          await guest.setOutgoingParameters({
            downtimeLimitMs,
            maxBandwidthBytesPerSecond: bandwidth,
          });
        }
      }
    }
  });
});

/** Leaves QEMU as one that does not know the capability: through a monitor of our own. */
async function forgetSwitchoverAck(path: string): Promise<void> {
  const socket = createConnection(path);
  const replies = createInterface({ input: socket })[Symbol.asyncIterator]();
  await replies.next();
  const capabilities = [{ capability: "switchover-ack", state: false }];
  const commands = [
    { execute: "qmp_capabilities" },
    { execute: "migrate-set-capabilities", arguments: { capabilities } },
  ];
  for (const command of commands) {
    socket.write(`${JSON.stringify(command)}\n`);
    expect(JSON.parse((await replies.next()).value ?? "null")).toEqual({ return: {} });
  }
  socket.destroy();
}
