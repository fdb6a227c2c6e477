import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { GuestEvent, GuestInstance } from "../../src/hypervisor/hypervisor.ts";
import { listenForRecovery } from "../../src/hypervisor/qemu/post-copy.ts";
import { QmpConnection } from "../../src/hypervisor/qemu/qmp/connection.ts";
import { migrationStatus, type QemuHost } from "../support/qemu-host.ts";
import { openStreamRelay, type StreamRelay } from "../support/stream-relay.ts";
import { ContentGuest } from "./support/content-guest.ts";

const features = { postCopy: true, multifdChannels: 0, compression: "none" } as const;
const slow = {
  downtimeLimitMs: 1,
  maxBandwidthBytesPerSecond: 4_000_000,
  maxPostCopyBandwidthBytesPerSecond: 4_000_000,
};
const address = "127.0.0.1";
/** Guest memory that holds something, so that it is not there at once. */
const content = { start: 0x1000000, bytes: 32 * 2 ** 20 };
/** Of the content, sent last. */
const lastPage = content.start + content.bytes - 4096;

let guest: ContentGuest;
let owned: AsyncDisposableStack;
let source: GuestInstance;
let destination: GuestInstance;
let destinationHost: QemuHost;

beforeAll(async () => {
  guest = await ContentGuest.create(randomBytes(content.bytes), content.start);
});
afterAll(() => guest?.[Symbol.asyncDispose]());
beforeEach(async () => {
  owned = new AsyncDisposableStack();
  source = await (await hostOf("host-a")).start(guest.definition);
  destinationHost = await hostOf("host-b");
  destination = await destinationHost.startIncoming(guest.definition);
});
afterEach(() => owned.disposeAsync());

async function hostOf(name: "host-a" | "host-b"): Promise<QemuHost> {
  return owned.use(await guest.host(name));
}

/** The guest runs at the destination, most of its memory is still at the source. */
async function takenOver(): Promise<StreamRelay> {
  const listening = await destination.listenForMigration(address, "host-a", features);
  expect(listening.features).toEqual(features);
  const relay = owned.use(await openStreamRelay(listening.port));
  await source.prepareOutgoing({ ...slow, features });
  await source.migrateTo(address, relay.port, "host-b");
  await source.stop();
  const ready = migrationStatus(source, "pre-switchover");
  await source.startPostCopy?.();
  await ready;
  expect(await destination.runState()).toBe("inmigrate");
  const both = [migrationStatus(source, "postcopy-active"), arrival()];
  await source.continueMigration();
  await Promise.all(both);
  expect(await destination.runState()).toBe("paused");
  await destination.cont();
  return relay;
}

async function arrival(): Promise<void> {
  await migrationStatus(destination, "postcopy-active");
  await expect.poll(() => destination.runState()).not.toBe("inmigrate");
}

/** Nothing holds the rest of its memory back any more, and all of it gets to the destination. */
async function completed(): Promise<void> {
  const end = migrationStatus(source, "completed");
  await source.setOutgoingParameters({ maxPostCopyBandwidthBytesPerSecond: 0 });
  await end;
  expect(await source.runState()).toBe("postmigrate");
  expect(await destination.runState()).toBe("running");
  const { status: there } = await destination.migrationProgress();
  expect(there).toBe("completed");
}

async function recover(): Promise<void> {
  const listening = await destination.listenForRecovery?.(address);
  await source.resumePostCopy?.(address, listening?.port ?? 0, "host-b");
}

describe("a guest that runs before its memory is there", () => {
  test("gets the rest of it, and its source never runs it again", async () => {
    await takenOver();
    expect(await destination.runState()).toBe("running");
    await expect(source.cont()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
    await expect(source.cancelMigration()).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_REFUSED",
    });
    await completed();
  });

  test("gets the rest of it over another connection when the first one broke", async () => {
    const relay = await takenOver();
    const both = [source, destination].map((side) => migrationStatus(side, "postcopy-paused"));
    relay.cut();
    await Promise.all(both);
    expect(await destination.runState()).toBe("running");
    await expect(source.resumePostCopy?.(address, 1, "host-b")).rejects.toMatchObject({
      code: "SOJ_STREAM_REFUSED",
      retryable: true,
    });
    await recover();
    await completed();
  });

  if (process.env.SOJOURN_FAULTS_ALL) {
    test("gets the rest of it after a link that went silent", async () => {
      const relay = await takenOver();
      relay.freeze();
      await source.pausePostCopy?.();
      await destination.pausePostCopy?.();
      // There is nothing left to give up.
      await Promise.all([source.pausePostCopy?.(), destination.pausePostCopy?.()]);
      await expect(
        source.resumePostCopy?.(address, await deafPort(), "host-b"),
      ).rejects.toMatchObject({
        code: "SOJ_STREAM_SILENT",
        retryable: true,
      });
      expect((await source.migrationProgress()).status).toBe("postcopy-paused");
      await recover();
      await completed();
    });
  }

  test("gets the rest of it while its QEMU does not answer because it waits for a page", async () => {
    const relay = await takenOver();
    await destination[Symbol.asyncDispose]();
    const monitor = await monitorOf(destination);
    const paused = migrationStatus(source, "postcopy-paused");
    relay.cut();
    await paused;
    const page = { val: lastPage, size: 4096, filename: join(guest.folder, "page") };
    const touched = monitor.execute("pmemsave", page);
    const silent = monitor.execute("query-status", undefined, 300);
    await expect(silent).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_TIMEOUT" });
    const outOfBand = monitor.executeOutOfBand.bind(monitor);
    const { port } = await listenForRecovery(outOfBand, address, null);
    const end = migrationStatus(source, "completed");
    await source.resumePostCopy?.(address, port, "host-b");
    await touched;
    await source.setOutgoingParameters({ maxPostCopyBandwidthBytesPerSecond: 0 });
    await end;
    expect(await monitor.execute("query-status")).toMatchObject({ status: "running" });
  });
});

describe("a guest that runs before its memory is there is lost", () => {
  test("with its QEMU; the source keeps what it has, stopped, and can be ended", async () => {
    await takenOver();
    const paused = migrationStatus(source, "postcopy-paused");
    process.kill(destination.pid, "SIGKILL");
    await paused;
    await expect(source.cont()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
    expect(await source.runState()).toBe("finish-migrate");
    await source.quit();
  });

  if (process.env.SOJOURN_FAULTS_ALL) {
    test("with its source; what it does not need yet still answers, and can be ended", async () => {
      await takenOver();
      const paused = migrationStatus(destination, "postcopy-paused");
      process.kill(source.pid, "SIGKILL");
      await paused;
      await destination.quit();
    });
  }
});

test("before the switchover it can be given up, and tried again", async () => {
  const { port } = await destination.listenForMigration(address, "host-a", features);
  await source.prepareOutgoing({ ...slow, features });
  await source.migrateTo(address, port, "host-b");
  await source.stop();
  const ready = migrationStatus(source, "pre-switchover");
  await source.startPostCopy?.();
  await ready;
  const cancelled = source.waitForEvent("its end", isOver, { timeoutMs: 20_000 });
  await source.cancelMigration();
  await cancelled;
  await source.cont();
  expect(await source.runState()).toBe("running");
  await destination.ended;
  destination = await destinationHost.startIncoming(guest.definition);
  await takenOver();
  await completed();
});

/** Over TLS a cancelled stream now and then ends as `failed`. */
function isOver({ data }: GuestEvent): boolean {
  return data.status === "cancelled" || data.status === "failed";
}

async function monitorOf(instance: GuestInstance): Promise<QmpConnection> {
  const options = { logger: pino({ level: "silent" }), onEvent: () => {} };
  const monitor = await QmpConnection.open(destinationHost.pathOf(instance, "qmp.sock"), options);
  owned.defer(() => monitor.close());
  return monitor;
}

/** Where everybody is let in and nobody answered. */
async function deafPort(): Promise<number> {
  const server = createServer((socket) => void socket.on("error", () => {})).listen(0, address);
  await once(server, "listening");
  owned.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
}
