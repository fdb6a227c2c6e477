import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuestInstance } from "../../src/hypervisor/hypervisor.ts";
import { eventNamed, firmwareGuest, migrationStatus, QemuHost } from "../support/qemu-host.ts";

const slow = { downtimeLimitMs: 1, maxBandwidthBytesPerSecond: 100_000 };

describe("a guest moves between two QEMU processes", () => {
  let here: QemuHost;
  let there: QemuHost;
  let source: GuestInstance;
  let destination: GuestInstance;

  beforeEach(async () => {
    here = await QemuHost.create();
    there = await QemuHost.create();
    source = await here.start();
    destination = await there.startIncoming();
  });
  afterEach(async () => {
    await here[Symbol.asyncDispose]();
    await there[Symbol.asyncDispose]();
  });

  /** Both sides prepared and the transfer under way, held down so that it does not end by itself. */
  async function begin(): Promise<void> {
    const { port } = await destination.listenForMigration("127.0.0.1", "host-a");
    expect(port).toBeGreaterThan(0);
    await source.prepareOutgoing(slow);
    const active = migrationStatus(source, "active");
    await source.migrateTo("127.0.0.1", port, "host-b");
    await active;
    expect(await source.runState()).toBe("running");
  }

  /** Stop first, then up to `pre-switchover`. */
  async function stopFirst(): Promise<void> {
    await source.setOutgoingParameters({ maxBandwidthBytesPerSecond: 0 });
    const ready = migrationStatus(source, "pre-switchover");
    await source.stop();
    // Held until then, QEMU goes on at once.
    expect(["paused", "finish-migrate"]).toContain(await source.runState());
    await source.setOutgoingParameters({ downtimeLimitMs: 60_000 });
    await ready;
    expect(await destination.runState()).toBe("inmigrate");
  }

  test("stop, pre-switchover, continue, completed, cont", async () => {
    await begin();
    const before = await source.migrationProgress();
    expect(before).toMatchObject({ status: "active", errorText: null });
    expect(before.totalBytes).toBeGreaterThan(64 * 2 ** 20);
    await stopFirst();

    const loaded = migrationStatus(destination, "completed");
    const sent = migrationStatus(source, "completed");
    await source.continueMigration();
    await loaded;
    expect(await destination.runState()).toBe("paused");
    const resumed = eventNamed(destination, "RESUME");
    await destination.cont();
    await resumed;
    expect(await destination.runState()).toBe("running");
    await sent;
    expect(await source.runState()).toBe("postmigrate");
    const after = await source.migrationProgress();
    expect(after).toMatchObject({ status: "completed", remainingBytes: 0 });
    expect(after.transferredBytes).toBeGreaterThan(0);
    expect((await destination.migrationProgress()).status).toBe("completed");
    await destination.announceSelf();
    await source.quit();
    expect(await destination.runState()).toBe("running");
  });

  test("five moves in a row, there and back", async () => {
    for (let move = 0; move < 5; move++) {
      if (move > 0) destination = await (move % 2 === 0 ? there : here).startIncoming();
      await begin();
      await stopFirst();
      const both = [
        migrationStatus(destination, "completed"),
        migrationStatus(source, "completed"),
      ];
      await source.continueMigration();
      await both[0];
      await destination.cont();
      await both[1];
      expect(await destination.runState()).toBe("running");
      await source.quit();
      source = destination;
    }
  });

  test("cancelled while active, the guest has never stopped, and can move later", async () => {
    await begin();
    const cancelled = migrationStatus(source, "cancelled");
    await source.cancelMigration();
    await cancelled;
    expect(await source.runState()).toBe("running");
    await destination.quit();
    destination = await there.startIncoming();
    await begin();
  });

  test("cancelled at pre-switchover after our stop, the guest waits for our cont", async () => {
    await begin();
    await stopFirst();
    const cancelled = migrationStatus(source, "cancelled");
    await source.cancelMigration();
    await cancelled;
    await source.cont();
    expect(await source.runState()).toBe("running");
  });

  test("destination killed while active: the source fails and runs on", async () => {
    await begin();
    const failed = migrationStatus(source, "failed");
    process.kill(destination.pid, "SIGKILL");
    await destination.ended;
    await failed;
    expect(await source.runState()).toBe("running");
    const { status, errorText } = await source.migrationProgress();
    expect(status).toBe("failed");
    expect(errorText).toMatch(/\w/);
  });

  test("destination killed at pre-switchover: its end is seen, cancel and cont bring the guest back", async () => {
    await begin();
    await stopFirst();
    process.kill(destination.pid, "SIGKILL");
    await destination.ended;
    await source.cancelMigration();
    await source.cont();
    expect(await source.runState()).toBe("running");
  });

  test("destination killed after the promise: the source stays stopped by itself", async () => {
    await begin();
    await stopFirst();
    process.kill(destination.pid, "SIGSTOP");
    await source.continueMigration();
    const failed = migrationStatus(source, "failed");
    process.kill(destination.pid, "SIGKILL");
    await failed;
    expect(await source.runState()).not.toBe("running");
    await source.cont();
    expect(await source.runState()).toBe("running");
  });

  test("source killed while active: the destination ends without ever running", async () => {
    const resumed: string[] = [];
    destination.onEvent(({ name }) => name === "RESUME" && resumed.push(name));
    await begin();
    process.kill(source.pid, "SIGKILL");
    await destination.ended;
    expect(resumed).toEqual([]);
  });

  test("source killed after completed: the destination runs when told to", async () => {
    await begin();
    await stopFirst();
    const loaded = migrationStatus(destination, "completed");
    await source.continueMigration();
    await loaded;
    process.kill(source.pid, "SIGKILL");
    await source.ended;
    expect(await destination.runState()).toBe("paused");
    await destination.cont();
    expect(await destination.runState()).toBe("running");
  });

  test("a destination that has loaded nothing cannot be started", async () => {
    await expect(destination.cont()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
    await begin();
    await expect(destination.cont()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
    await stopFirst();
    const loaded = migrationStatus(destination, "completed");
    await source.continueMigration();
    await loaded;
    expect(await destination.runState()).toBe("paused");
  });

  test("a stream for another guest is refused, the source runs on", async () => {
    await destination.quit();
    destination = await there.startIncoming(firmwareGuest({ name: "db1" }));
    const { port } = await destination.listenForMigration("127.0.0.1", "host-a");
    await source.prepareOutgoing(slow);
    const failed = migrationStatus(source, "failed");
    await source.migrateTo("127.0.0.1", port, "host-b");
    await failed;
    expect(await source.runState()).toBe("running");
    await destination.ended;
  });

  test("a shared disk belongs to the destination once it runs, then the source cannot", async () => {
    const path = join(here.runDir, "disk.img");
    await writeFile(path, Buffer.alloc(1024 * 1024));
    const definition = firmwareGuest({ disks: [{ path, format: "raw" }] });
    await Promise.all([source.quit(), destination.quit()]);
    source = await here.start(definition);
    destination = await there.startIncoming(definition);
    await begin();
    await stopFirst();
    const loaded = migrationStatus(destination, "completed");
    const sent = migrationStatus(source, "completed");
    await source.continueMigration();
    await Promise.all([loaded, sent]);
    await destination.cont();
    expect(await destination.runState()).toBe("running");
    await expect(source.cont()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
    expect(await source.runState()).not.toBe("running");
  });

  test("an address that is not this machine's cannot be listened on", async () => {
    await expect(destination.listenForMigration("192.0.2.77", "host-a")).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_REFUSED",
    });
  });
});
