import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { layOutStreamCredentials } from "../../src/daemon/stream-credentials.ts";
import type { GuestDefinition } from "../../src/hypervisor/definition.ts";
import type { GuestInstance, StreamFeatures } from "../../src/hypervisor/hypervisor.ts";
import { createTestAuthority, type TestAuthority } from "../support/host-certificates.ts";
import { firmwareGuest, migrationStatus, QemuHost } from "../support/qemu-host.ts";
import { openStreamRelay } from "../support/stream-relay.ts";

const compressed: StreamFeatures = { postCopy: false, multifdChannels: 2, compression: "zstd" };
const slow = { downtimeLimitMs: 1, maxBandwidthBytesPerSecond: 1_000_000 };
const address = "127.0.0.1";
const contentBytes = 16 * 2 ** 20;

let authority: TestAuthority;
let folder: string;
/** Memory that compresses to a fraction, and is not zero. */
let definition: GuestDefinition;
let owned: AsyncDisposableStack;
let source: GuestInstance;
let destination: GuestInstance;

beforeAll(async () => {
  authority = await createTestAuthority("host-a", "host-b");
  folder = await mkdtemp("/tmp/channels-");
  const file = join(folder, "content");
  await writeFile(file, Buffer.alloc(contentBytes, "the same again and again; "));
  const loader = `loader,file=${file},addr=0x1000000,force-raw=on`;
  definition = firmwareGuest({ extra_arguments: ["-device", loader] });
});
afterAll(async () => {
  await authority[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  owned = new AsyncDisposableStack();
  source = await (await hostOf("host-a")).start(definition);
  destination = await (await hostOf("host-b")).startIncoming(definition);
});
afterEach(() => owned.disposeAsync());

async function hostOf(name: string): Promise<QemuHost> {
  const files = authority.hosts[name];
  if (files === undefined) throw new Error(`${name} has no certificate`);
  const credentials = await mkdtemp(`${folder}/credentials-`);
  await layOutStreamCredentials(credentials, files);
  return owned.use(await QemuHost.create({ folder: credentials }));
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
