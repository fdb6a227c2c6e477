import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { IssuedCertificate } from "../../src/daemon/pki.ts";
import { layOutStreamCredentials } from "../../src/daemon/stream-credentials.ts";
import type { GuestInstance } from "../../src/hypervisor/hypervisor.ts";
import type { SojournError } from "../../src/platform/errors.ts";
import { createTestAuthority, type TestAuthority } from "../support/host-certificates.ts";
import { firmwareGuest, migrationStatus, QemuHost } from "../support/qemu-host.ts";
import { openStreamRelay } from "../support/stream-relay.ts";

const slow = { downtimeLimitMs: 1, maxBandwidthBytesPerSecond: 100_000 };
/** The firmware's name of itself, in every guest's memory. */
const knownText = "SeaBIOS";

let authority: TestAuthority;
let otherAuthority: TestAuthority;
let folder: string;
let owned: AsyncDisposableStack;

beforeAll(async () => {
  authority = await createTestAuthority("host-a", "host-b", "host-c");
  otherAuthority = await createTestAuthority("host-a", "host-b");
  folder = await mkdtemp("/tmp/stream-tls-");
});
afterAll(async () => {
  await authority[Symbol.asyncDispose]();
  await otherAuthority[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  owned = new AsyncDisposableStack();
});
afterEach(() => owned.disposeAsync());

function certificate(name: string, of = authority): IssuedCertificate {
  const found = of.hosts[name];
  if (found === undefined) throw new Error(`${name} has no certificate`);
  return found;
}

/** A host whose streams are protected with these files; in clear for null. */
async function hostWith(files: IssuedCertificate | null): Promise<QemuHost> {
  if (files === null) return owned.use(await QemuHost.create());
  const credentials = await mkdtemp(`${folder}/credentials-`);
  await layOutStreamCredentials(credentials, files);
  return owned.use(await QemuHost.create({ folder: credentials }));
}

async function listening(files: IssuedCertificate | null, sourceHost = "host-a") {
  const destination = await (await hostWith(files)).startIncoming();
  const { port } = await destination.listenForMigration("127.0.0.1", sourceHost);
  return { destination, port };
}

async function running(files: IssuedCertificate | null): Promise<GuestInstance> {
  return (await hostWith(files)).start();
}

/** The whole of a migration; the guest runs at the destination afterwards. */
async function move(source: GuestInstance, destination: GuestInstance, port: number, to: string) {
  await source.prepareOutgoing(slow);
  // On a busy machine QEMU may be done with this idle guest, and stop it, before we do.
  const ready = migrationStatus(source, "pre-switchover");
  ready.catch(() => {});
  await source.migrateTo("127.0.0.1", port, to);
  await source.stop();
  await source.setOutgoingParameters({ maxBandwidthBytesPerSecond: 0, downtimeLimitMs: 60_000 });
  await ready;
  const ends = [migrationStatus(destination, "completed"), migrationStatus(source, "completed")];
  await source.continueMigration();
  await Promise.all(ends);
  await destination.cont();
  expect(await destination.runState()).toBe("running");
}

/** A migration that does not come about; the guest goes on at the source. Returns QEMU's words. */
async function failToMove(source: GuestInstance, port: number, to: string): Promise<string> {
  await source.prepareOutgoing(slow);
  const failed = migrationStatus(source, "failed");
  // A destination that turns the source away may do so before or after the source is content with it.
  await source.migrateTo("127.0.0.1", port, to).catch((error: SojournError) => {
    expect(error.code).toBe("SOJ_STREAM_REFUSED");
  });
  await failed;
  expect(await source.runState()).toBe("running");
  const { errorText } = await source.migrationProgress();
  return errorText ?? "";
}

/** Over TLS a cancelled stream now and then ends as `failed`: QEMU hears of its own cut as of a fault. */
async function giveUp(source: GuestInstance): Promise<void> {
  const over = source.waitForEvent(
    "migration status cancelled or failed",
    ({ data }) => data.status === "cancelled" || data.status === "failed",
    { timeoutMs: 20_000 },
  );
  await source.cancelMigration();
  await over;
  expect(await source.runState()).toBe("running");
}

/** Resolves when the other side has closed the connection; with what it sent before. */
function untilClosed(socket: Socket): Promise<string> {
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("still open after 10 s")), 10_000);
    // Whether it is closed or reset is all the same.
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(received);
    });
  });
}

describe("a guest's way to the other host", () => {
  test("shows nothing of its memory, there and back", async () => {
    const source = await running(certificate("host-a"));
    const there = await listening(certificate("host-b"));
    const relay = owned.use(await openStreamRelay(there.port));
    await move(source, there.destination, relay.port, "host-b");
    expect(relay.sent().length).toBeGreaterThan(100_000);
    expect(relay.sent().includes(knownText)).toBe(false);
    await source.quit();

    const back = await listening(certificate("host-a"), "host-b");
    await move(there.destination, back.destination, back.port, "host-a");
  });

  test("would show it without TLS", async () => {
    const source = await running(null);
    const { destination, port } = await listening(null);
    const relay = owned.use(await openStreamRelay(port));
    await move(source, destination, relay.port, "host-b");
    expect(relay.sent().includes(knownText)).toBe(true);
  });

  test("works again after a stream that was given up, and with another destination", async () => {
    const source = await running(certificate("host-a"));
    const first = await listening(certificate("host-b"));
    await source.prepareOutgoing(slow);
    const active = migrationStatus(source, "active");
    await source.migrateTo("127.0.0.1", first.port, "host-b");
    await active;
    await giveUp(source);
    const second = await listening(certificate("host-c"));
    await move(source, second.destination, second.port, "host-c");
  });
});

describe("the incoming port", () => {
  test("turns away all but the source, whose guest it still takes", async () => {
    const { destination, port } = await listening(certificate("host-b"));
    const stillWaits = async () => expect(await destination.runState()).toBe("inmigrate");

    const plain = createConnection(port, "127.0.0.1");
    plain.write(Buffer.concat([Buffer.from("QEVM\0\0\0\x03"), Buffer.alloc(4096, 0x41)]));
    await untilClosed(plain);
    await stillWaits();

    const strangers = {
      "another host of our authority": certificate("host-c"),
      "our source's name from another authority": certificate("host-a", otherAuthority),
      "no certificate": null,
    };
    for (const [who, files] of Object.entries(strangers)) {
      expect(await untilClosed(await tlsClient(port, files)), who).toBe("");
      await stillWaits();
    }
    const old = await tlsClient(port, certificate("host-a"), "TLSv1.2");
    expect(await untilClosed(old)).toBe("");
    await stillWaits();

    const foreign = await running(certificate("host-c"));
    await failToMove(foreign, port, "host-b");
    const inClear = await running(null);
    await failToMove(inClear, port, "host-b");
    await stillWaits();

    const source = await running(certificate("host-a"));
    await move(source, destination, port, "host-b");
  });
});

describe("a source sends its guest to nobody but", () => {
  let source: GuestInstance;
  beforeEach(async () => {
    source = await running(certificate("host-a"));
  });

  test("the host it was told", async () => {
    const { port } = await listening(certificate("host-c"));
    const relay = owned.use(await openStreamRelay(port));
    expect(await failToMove(source, relay.port, "host-b")).toMatch(/does not match.*host-b/);
    expect(relay.sent().includes(knownText)).toBe(false);
  });

  test("a host of its own authority", async () => {
    const { port } = await listening(certificate("host-b", otherAuthority));
    expect(await failToMove(source, port, "host-b")).toMatch(/certificate/i);
  });

  test("a host that speaks TLS", async () => {
    const { destination, port } = await listening(null);
    const relay = owned.use(await openStreamRelay(port));
    const active: string[] = [];
    destination.onEvent(({ name }) => active.push(name));
    await failToMove(source, relay.port, "host-b");
    expect(relay.sent().includes(knownText)).toBe(false);
    expect(active).not.toContain("RESUME");
  });
});

describe("a destination that does not answer", () => {
  let source: GuestInstance;
  let destination: GuestInstance;
  let port: number;
  beforeEach(async () => {
    source = await running(certificate("host-a"));
    ({ destination, port } = await listening(certificate("host-b")));
    await source.prepareOutgoing(slow);
  });

  async function isGivenUp(): Promise<void> {
    const startedMs = performance.now();
    await expect(source.migrateTo("127.0.0.1", port, "host-b")).rejects.toMatchObject({
      code: "SOJ_STREAM_SILENT",
    });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await source.runState()).toBe("running");
  }

  test("frozen, it holds the guest up for a moment only", async () => {
    process.kill(destination.pid, "SIGSTOP");
    await isGivenUp();
    process.kill(destination.pid, "SIGCONT");
    expect(await destination.runState()).toBe("inmigrate");
    await move(source, destination, port, "host-b");
  });

  test("kept busy by a stranger who says nothing, likewise", async () => {
    const stranger = createConnection(port, "127.0.0.1");
    stranger.on("error", () => {});
    owned.defer(() => void stranger.destroy());
    await once(stranger, "connect");
    await isGivenUp();
    stranger.destroy();
    expect(await destination.runState()).toBe("inmigrate");
    await move(source, destination, port, "host-b");
  });

  test("frozen in the middle of a stream, it can be given up", async () => {
    await source.migrateTo("127.0.0.1", port, "host-b");
    process.kill(destination.pid, "SIGSTOP");
    await source.setOutgoingParameters({ maxBandwidthBytesPerSecond: 0 });
    await giveUp(source);
    expect(await source.runState()).toBe("running");
  });
});

test("credentials that cannot be used are told before anything is sent", async () => {
  const host = owned.use(await QemuHost.create({ folder: `${folder}/none` }));
  const source = await host.start(firmwareGuest());
  await source.prepareOutgoing(slow);
  await expect(source.migrateTo("127.0.0.1", 9, "host-b")).rejects.toMatchObject({
    code: "SOJ_HYPERVISOR_REFUSED",
    message: expect.stringContaining("ca-cert.pem"),
  });
  expect(await source.runState()).toBe("running");
});

/** A client that trusts anybody and begins to send; the server may cut it off at any time. */
async function tlsClient(
  port: number,
  files: IssuedCertificate | null,
  version: "TLSv1.2" | "TLSv1.3" = "TLSv1.3",
): Promise<TLSSocket> {
  const own =
    files === null
      ? {}
      : { cert: await readFile(files.certificatePath), key: await readFile(files.keyPath) };
  const socket = connectTls({
    ...own,
    port,
    host: "127.0.0.1",
    minVersion: version,
    maxVersion: version,
    rejectUnauthorized: false,
  });
  socket.on("secureConnect", () => socket.write("QEVM\0\0\0\x03"));
  return socket;
}
