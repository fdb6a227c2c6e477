import { createConnection } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { GuestInstance, StreamFeatures } from "../../src/hypervisor/hypervisor.ts";
import { migrationStatus, type QemuHost } from "../support/qemu-host.ts";
import { openStreamRelay } from "../support/stream-relay.ts";
import { ContentGuest } from "./support/content-guest.ts";

const compressed: StreamFeatures = { postCopy: false, multifdChannels: 2, compression: "zstd" };
const slow = { downtimeLimitMs: 1, maxBandwidthBytesPerSecond: 1_000_000 };
const address = "127.0.0.1";
const contentBytes = 16 * 2 ** 20;

/** Memory that compresses to a fraction, and is not zero. */
let guest: ContentGuest;
let owned: AsyncDisposableStack;
let source: GuestInstance;
let destination: GuestInstance;

beforeAll(async () => {
  guest = await ContentGuest.create(
    Buffer.alloc(contentBytes, "the same again and again; "),
    0x1000000,
  );
});
afterAll(() => guest?.[Symbol.asyncDispose]());
beforeEach(async () => {
  owned = new AsyncDisposableStack();
  source = await (await hostOf("host-a")).start(guest.definition);
  destination = await (await hostOf("host-b")).startIncoming(guest.definition);
});
afterEach(() => owned.disposeAsync());

async function hostOf(name: "host-a" | "host-b"): Promise<QemuHost> {
  return owned.use(await guest.host(name));
}

test("a guest moves over several channels, compressed and protected; strangers are turned away", async () => {
  expect(await source.streamFeatures?.(compressed)).toEqual(compressed);
  const listening = await destination.listenForMigration(address, "host-a", compressed);
  expect(listening.features).toEqual(compressed);
  const stranger = createConnection(listening.port, address);
  stranger.on("error", () => {});
  stranger.write(Buffer.alloc(4096, "QEVM"));
  await new Promise((resolve) => stranger.on("close", resolve));

  const relay = owned.use(await openStreamRelay(listening.port, 3));
  await source.prepareOutgoing({ ...slow, features: compressed });
  await source.migrateTo(address, relay.port, "host-b");
  await source.setOutgoingParameters({ maxBandwidthBytesPerSecond: 0 });
  await expect
    .poll(transferred, { timeout: 10_000 })
    .toBeGreaterThan(slow.maxBandwidthBytesPerSecond);
  const ready = migrationStatus(source, "pre-switchover");
  await source.stop();
  await source.setOutgoingParameters({ downtimeLimitMs: 60_000 });
  await ready;
  const ends = [source, destination].map((side) => migrationStatus(side, "completed"));
  await source.continueMigration();
  await Promise.all(ends);
  await destination.cont();
  expect(await destination.runState()).toBe("running");
  expect(await transferred()).toBeLessThan(contentBytes / 2);
  expect(relay.sent().includes("again and again")).toBe(false);
  expect(relay.accepted()).toBe(3);
});

async function transferred(): Promise<number> {
  return (await source.migrationProgress()).transferredBytes;
}
