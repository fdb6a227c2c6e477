import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { HostCertificate } from "../../src/daemon/pki.ts";
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

function certificate(name: string, of = authority): HostCertificate {
  const found = of.hosts[name];
  if (found === undefined) throw new Error(`${name} has no certificate`);
  return found;
}

/** A host whose streams are protected with these files; in clear for null. */
async function hostWith(files: HostCertificate | null): Promise<QemuHost> {
  if (files === null) return owned.use(await QemuHost.create());
  const credentials = await mkdtemp(`${folder}/credentials-`);
  await layOutStreamCredentials(credentials, files);
  return owned.use(await QemuHost.create({ folder: credentials }));
}

async function listening(files: HostCertificate | null, sourceHost = "host-a") {
  const destination = await (await hostWith(files)).startIncoming();
  const { port } = await destination.listenForMigration("127.0.0.1", sourceHost);
  return { destination, port };
}

async function running(files: HostCertificate | null): Promise<GuestInstance> {
  return (await hostWith(files)).start();
}

/** The whole of a migration; the guest runs at the destination afterwards. */
async function move(source: GuestInstance, destination: GuestInstance, port: number, to: string) {
  await source.prepareOutgoing(slow);
  const active = migrationStatus(source, "active");
  await source.migrateTo("127.0.0.1", port, to);
  await active;
  await source.stop();
  const ready = migrationStatus(source, "pre-switchover");
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


test.each([["tls"], ["plain"], ["tls"], ["plain"]])("%s", async (kind) => {
  const files = (n: string) => (kind === "tls" ? certificate(n) : null);
  const { destination, port } = await listening(files("host-b"));
  const source = await running(files("host-a"));
  await source.prepareOutgoing({ downtimeLimitMs: 1, maxBandwidthBytesPerSecond: 200_000 });
  await source.migrateTo("127.0.0.1", port, "host-b");
  const rows: string[] = [];
  const t0 = performance.now();
  let last = 0;
  while (performance.now() - t0 < 900) {
    const p = await source.migrationProgress();
    if (p.transferredBytes !== last) rows.push(`${(performance.now() - t0).toFixed(0)}:+${p.transferredBytes - last}`);
    last = p.transferredBytes;
    await new Promise((ok) => setTimeout(ok, 2));
  }
  console.error(kind, rows.join(" "));
});

/** A client that trusts anybody and begins to send; the server may cut it off at any time. */
async function tlsClient(
  port: number,
  files: HostCertificate | null,
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
