import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GuestDefinition, guestDefinitionFromJson } from "../../src/hypervisor/definition.ts";
import type { GuestEvent, GuestInstance } from "../../src/hypervisor/hypervisor.ts";
import { createLibvirtHypervisor } from "../../src/hypervisor/libvirt/driver/driver.ts";
import type {
  LibvirtHypervisor,
  LibvirtInstance,
  StartedDomain,
} from "../../src/hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import { downLab, upLab } from "../../src/lab/index.ts";
import { hostAddresses } from "../../src/lab/layout.ts";
import { findLibvirtd, libvirtSocketOf, startLibvirtd } from "../../src/lab/libvirt/libvirtd.ts";
import { sendSignal, waitUntilGone } from "../../src/lab/process-control.ts";

type Host = "host-a" | "host-b";

const lab = `sjld${process.pid}`;
const logger = pino({ level: "silent" });
const mib = 1024 * 1024;
/** A stream of it does not end by itself within a test. */
const slow = 8 * mib;
const nics = [{ tapName: "lv-web1" }];
const patience = { timeout: 15_000, interval: 20 };

let runDir: string;
let definition: GuestDefinition;
const hypervisors = new Map<Host, LibvirtHypervisor>();
const at = (host: Host) => hypervisors.get(host) as LibvirtHypervisor;

beforeAll(async () => {
  runDir = await mkdtemp(join(tmpdir(), "libvirt-driver-"));
  await upLab({ lab, hosts: 2, libvirt: true });
  for (const host of ["host-a", "host-b"] as const) hypervisors.set(host, driver(host));
});
afterAll(async () => {
  for (const each of hypervisors.values()) await each[Symbol.asyncDispose]();
  await downLab(lab);
  await rm(runDir, { recursive: true, force: true });
});

test("a domain that runs is found, and becomes a guest that another daemon finds again", async () => {
  const [found] = await at("host-a").domains();
  expect(found).toMatchObject({ name: "web1", state: "running", isPersistent: true });
  const { uuid, facts } = found as NonNullable<typeof found>;
  definition = guestDefinitionFromJson({
    ...{ name: "web1", uuid, memory_mib: 128, hypervisor: "libvirt" },
    nics: [{ mac: facts?.nics[0]?.mac }],
  });
  const web1 = await at("host-a").adoptDomain({ definition, uuid });
  expect(web1).toMatchObject({ isAdopted: true, incoming: false, nics: [{ tapName: "lv-web1" }] });
  expect(web1.pid).toBeGreaterThan(1);
  expect(await web1.openStorage()).toEqual({ files: [], replacedDisks: [] });
  expect(await restarted("host-a")).toMatchObject({ instanceId: web1.instanceId, pid: web1.pid });
});

test("it goes there and back, and its home's definition stays", async () => {
  const told: StartedDomain[] = [];
  at("host-b").onDomainStarted((domain) => told.push(domain));
  for (const [from, to] of [
    ["host-a", "host-b"],
    ["host-b", "host-a"],
  ] as const) {
    const { source, destination } = await sending(from, to, 200 * mib);
    const statuses: unknown[] = [];
    source.onEvent((event) => event.name === "MIGRATION" && statuses.push(event.data.status));
    const resumed = destination.waitForEvent("RESUME", named("RESUME"), { timeoutMs: 15_000 });
    await arrived(source, destination);
    expect(statuses.slice(-2)).toEqual(["device", "pre-switchover"]);
    expect(await source.runState()).toBe("postmigrate");
    expect(await source.migrationProgress()).toMatchObject({
      status: "pre-switchover",
      remainingBytes: 0,
    });
    expect(await destination.runState()).toBe("paused");
    expect((await destination.migrationProgress()).status).toBe("completed");
    await destination.cont();
    expect((await resumed).timestampMs).toBeGreaterThan(0);
    await source.quit();
    expect([source.isAlive(), source.whyEnded]).toEqual([false, "migrated"]);
    await expect(source.runState()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_GONE" });
    expect(await at(from).findInstances()).toEqual([]);
    expect(await at(to).domains()).toMatchObject([
      { name: "web1", state: "running", isPersistent: to === "host-a" },
    ]);
  }
  expect(told).toEqual([]);
});

test("a stream is taken back before it is sent, in the middle, and after its end: the guest runs on", async () => {
  const source = await here("host-a");
  await source.offerStream?.("host-b");
  expect((await source.migrationProgress()).status).toBe("setup");
  await source.cancelMigration();
  expect((await source.migrationProgress()).status).toBe("cancelled");

  const middle = await sending("host-a", "host-b", slow);
  await source.stop();
  expect(await source.runState()).toBe("postmigrate");
  await expect(source.cont()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
  const told: unknown[] = [];
  source.onEvent(({ name, data }) => told.push(data.status ?? name));
  await source.cancelMigration();
  await expect
    .poll(async () => (await source.migrationProgress()).status, patience)
    .toBe("cancelled");
  await expect.poll(() => source.runState(), patience).toBe("running");
  expect(told.filter((each) => each === "cancelled" || each === "failed")).toEqual(["cancelled"]);
  await middle.destination.quit();
  expect(middle.destination.isAlive()).toBe(false);

  const end = await sending("host-a", "host-b", 0);
  await arrived(source, end.destination);
  await source.cancelMigration();
  expect((await source.migrationProgress()).status).toBe("cancelled");
  await source.cont();
  expect(await source.runState()).toBe("running");
  await end.destination.quit();
  expect(await at("host-b").domains()).toEqual([]);
});

test("a destination that is destroyed in the middle leaves the source running", async () => {
  const { source, destination } = await sending("host-a", "host-b", slow);
  await source.stop();
  const failed = source.waitForEvent("failed", migration("failed"), { timeoutMs: 15_000 });
  await destination.quit(0);
  expect(await failed).toMatchObject({ timestampMs: expect.any(Number) });
  expect((await source.migrationProgress()).errorText).toMatch(/./);
  await expect.poll(() => source.runState(), patience).toBe("running");
});

test("a stream goes to nobody but the host that it is meant for", async () => {
  const { underlayAddress } = hostAddresses("host-b");
  const source = await here("host-a");
  const offer = await source.offerStream?.("host-c");
  const incoming = await at("host-b").startIncoming(definition, nics, offer);
  const { port, answer } = await incoming.listenForMigration(underlayAddress, "host-a");
  await source.prepareOutgoing({ downtimeLimitMs: 1, maxBandwidthBytesPerSecond: slow });
  const sent = source.migrateTo(underlayAddress, port, "host-c", answer);
  await expect(sent).rejects.toMatchObject({ code: "SOJ_STREAM_REFUSED" });
  expect(await source.runState()).toBe("running");
  await incoming.quit();
});

test("in every phase another daemon finds the source, and lets it run", async () => {
  // It came home by a stream that is at its end.
  const idle = ["completed", "running"];
  await (await here("host-a")).offerStream?.("host-b");
  expect(await statusOf(await restarted("host-a"))).toEqual(idle);

  const middle = await sending("host-a", "host-b", slow);
  await middle.source.stop();
  const found = await restarted("host-a");
  expect(await statusOf(found)).toEqual(["active", "postmigrate"]);
  await found.cancelMigration();
  await expect.poll(() => statusOf(found), patience).toEqual(idle);
  await middle.destination.quit();

  const end = await sending("host-a", "host-b", 0);
  await arrived(end.source, end.destination);
  const [left, waiting] = [await restarted("host-a"), await restarted("host-b")];
  expect(await statusOf(left)).toEqual(["completed", "postmigrate"]);
  expect(await statusOf(waiting)).toEqual(["completed", "paused"]);
  await waiting.quit();
  await left.cont();
  expect(await left.runState()).toBe("running");

  await sending("host-a", "host-b", slow);
  const both = await restarted("host-a");
  await hypervisors.get("host-b")?.[Symbol.asyncDispose]();
  hypervisors.set("host-b", driver("host-b"));
  await expect.poll(() => statusOf(both), patience).toEqual(idle);
  await expect.poll(() => at("host-b").findInstances(), patience).toEqual([]);
});

test("a libvirtd that is killed and comes back changes nothing", async () => {
  const web1 = await here("host-a");
  const libvirtd = findLibvirtd(lab, "host-a");
  expect(libvirtd !== null && sendSignal(libvirtd, "SIGKILL")).toBe(true);
  expect(libvirtd !== null && (await waitUntilGone(libvirtd, 5_000))).toBe(true);
  await expect(web1.runState()).rejects.toMatchObject({
    code: "SOJ_HYPERVISOR_DISCONNECTED",
    retryable: true,
  });
  expect([web1.isAlive(), at("host-a").isConnected]).toEqual([true, false]);
  await startLibvirtd(lab, "host-a");
  await expect.poll(() => web1.runState().catch(() => null), patience).toBe("running");
  const stopped = web1.waitForEvent("STOP", named("STOP"), { timeoutMs: 5_000 });
  await web1.stop();
  await stopped;
  await web1.quit();
  expect([web1.isAlive(), web1.whyEnded]).toEqual([false, "destroyed"]);
});

function driver(host: Host): LibvirtHypervisor {
  return createLibvirtHypervisor({
    runDir: join(runDir, host),
    logger,
    stream: { tls: true },
    sockets: [libvirtSocketOf(lab, host)],
  });
}

/** As a daemon that was started again sees it. */
async function restarted(host: Host): Promise<LibvirtInstance> {
  await at(host)[Symbol.asyncDispose]();
  hypervisors.set(host, driver(host));
  return await here(host);
}

async function here(host: Host): Promise<LibvirtInstance> {
  const [found] = await at(host).findInstances();
  if (found === undefined) throw new Error(`no guest on ${host}`);
  return found as LibvirtInstance;
}

/** A stream that is under way at so many bytes per second, 0 for as fast as it goes. */
async function sending(from: Host, to: Host, maxBandwidthBytesPerSecond: number) {
  const { underlayAddress } = hostAddresses(to);
  const source = await here(from);
  const offer = await source.offerStream?.(to);
  const incoming = await at(to).startIncoming(definition, nics, offer);
  const destination = incoming as LibvirtInstance;
  expect([destination.isAlive(), await destination.runState()]).toEqual([true, "inmigrate"]);
  const { port, answer } = await destination.listenForMigration(underlayAddress, from);
  await expect(destination.cont()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
  await source.prepareOutgoing({ downtimeLimitMs: 1, maxBandwidthBytesPerSecond });
  await source.migrateTo(underlayAddress, port, to, answer);
  return { source, destination };
}

/** Lets the stream go to its end, and the guest stand there. */
async function arrived(source: GuestInstance, destination: GuestInstance): Promise<void> {
  const ends = [
    source.migrationProgress().then(({ status }) => {
      if (status === "pre-switchover") return;
      return source.waitForEvent("end", migration("pre-switchover"), { timeoutMs: 15_000 });
    }),
    destination.migrationProgress().then(({ status }) => {
      if (status === "completed") return;
      return destination.waitForEvent("end", migration("completed"), { timeoutMs: 15_000 });
    }),
  ];
  await source.setOutgoingParameters({ maxBandwidthBytesPerSecond: 0 });
  await source.stop();
  await Promise.all(ends);
}

async function statusOf(instance: GuestInstance): Promise<string[]> {
  return [(await instance.migrationProgress()).status, await instance.runState()];
}

function migration(status: string) {
  return ({ name, data }: GuestEvent) => name === "MIGRATION" && data.status === status;
}

function named(name: string) {
  return (event: GuestEvent) => event.name === name;
}
