import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LibvirtConnection } from "../../src/hypervisor/libvirt/rpc/connection.ts";
import {
  DomainState,
  RunningReason,
} from "../../src/hypervisor/libvirt/rpc/constants/domain-state.ts";
import { LibvirtErrorCode } from "../../src/hypervisor/libvirt/rpc/constants/error-codes.ts";
import {
  CreateFlag,
  JobStatsFlag,
  MigrateFlag,
} from "../../src/hypervisor/libvirt/rpc/constants/flags.ts";
import { JobField, JobType } from "../../src/hypervisor/libvirt/rpc/constants/jobs.ts";
import { LifecycleEvent } from "../../src/hypervisor/libvirt/rpc/constants/lifecycle.ts";
import {
  jobCompletedEvent,
  type LifecycleMessage,
  lifecycleEvent,
} from "../../src/hypervisor/libvirt/rpc/events/domain-events.ts";
import type { MonitorMessage } from "../../src/hypervisor/libvirt/rpc/events/monitor-event.ts";
import { migrationParameters } from "../../src/hypervisor/libvirt/rpc/migration-parameters.ts";
import * as connect from "../../src/hypervisor/libvirt/rpc/procedures/connect.ts";
import * as domains from "../../src/hypervisor/libvirt/rpc/procedures/domains.ts";
import {
  domainGetJobInfo,
  domainGetJobStats,
} from "../../src/hypervisor/libvirt/rpc/procedures/jobs.ts";
import * as migration from "../../src/hypervisor/libvirt/rpc/procedures/migration.ts";
import { domainMonitorCommand } from "../../src/hypervisor/libvirt/rpc/procedures/qemu.ts";
import { parameterValues } from "../../src/hypervisor/libvirt/rpc/xdr/typed-parameter.ts";
import { delay } from "../../src/platform/clock.ts";
import { type Libvirtd, startLibvirtd } from "../support/libvirtd.ts";
import { createNamespace, type Namespace } from "../support/namespaces.ts";

const logger = pino({ level: "warn" });
/** For calls for which libvirtd starts a QEMU. */
const patient = { timeoutMs: 30_000 };

/** Debian's own libvirtd: two of them on one network, as hosts of their own. */
describe("libvirt's RPC with libvirtd", () => {
  let network: Namespace;
  let hostA: Libvirtd;
  let hostB: Libvirtd;
  let a: LibvirtConnection;

  const open = (host: Libvirtd, options = {}) =>
    LibvirtConnection.open({ logger, sockets: [host.socket], ...options });
  const define = async (libvirt: LibvirtConnection, name: string) => {
    const args = { xml: domainXml(name), flags: 0 };
    return (await libvirt.call(domains.domainDefineXmlFlags, args)).domain;
  };

  beforeAll(async () => {
    network = await createNamespace("libvirt");
    [hostA, hostB] = await Promise.all([
      startLibvirtd(network, "rpc-a"),
      startLibvirtd(network, "rpc-b"),
    ]);
  });
  afterAll(async () => {
    await hostA?.[Symbol.asyncDispose]();
    await hostB?.[Symbol.asyncDispose]();
    await network?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    a = await open(hostA);
  });
  afterEach(async () => {
    await a[Symbol.asyncDispose]();
  });

  test("the host describes itself", async () => {
    expect(a.facts).toMatchObject({ driver: "QEMU", hasKeepalive: true });
    expect(a.facts.version).toMatch(/^\d+\.\d+\.\d+$/);
    const all = { needResults: 1, flags: 0 };
    const [hostname, uri, version, node, capabilities, list] = await Promise.all([
      a.call(connect.connectGetHostname, {}),
      a.call(connect.connectGetUri, {}),
      a.call(connect.connectGetVersion, {}, patient),
      a.call(connect.nodeGetInfo, {}),
      a.call(connect.connectGetCapabilities, {}, patient),
      a.call(connect.connectListAllDomains, all),
    ]);
    expect(hostname).toEqual({ hostname: "rpc-a" });
    expect(uri).toEqual({ uri: "qemu:///system" });
    expect(version.version).toBeGreaterThan(7_000_000n);
    expect(node).toMatchObject({ model: "x86_64", nodes: expect.any(Number) });
    expect(node.memoryKib).toBeGreaterThan(0n);
    expect(capabilities.capabilities).toContain("<capabilities>");
    expect(list).toEqual({ domains: [], count: 0 });
    const emulator = { emulator: null, arch: "x86_64", machine: "pc", virtType: "qemu" };
    const asked = { ...emulator, flags: 0 };
    const { capabilities: xml } = await a.call(
      connect.connectGetDomainCapabilities,
      asked,
      patient,
    );
    expect(xml).toContain("<domainCapabilities>");
    const xmlCpu = "<cpu match='exact'><model>qemu64</model></cpu>";
    const comparison = { ...emulator, xmlCpu, flags: 0 };
    const { result } = await a.call(connect.connectCompareHypervisorCpu, comparison, patient);
    expect([0, 1, 2]).toContain(result);
  });

  test("a domain is defined, started, stopped and let go on, and its events come", async () => {
    const heard: LifecycleMessage[] = [];
    const monitored: MonitorMessage[] = [];
    await a.subscribe(lifecycleEvent, (message) => heard.push(message));
    const domain = await define(a, "web1");
    await a.subscribeMonitor((message) => monitored.push(message), { domain });
    expect(domain).toMatchObject({ name: "web1", id: -1 });
    const found = await a.call(domains.domainLookupByUuid, { uuid: domain.uuid });
    expect(found).toEqual({ domain });

    const start = { domain, flags: CreateFlag.paused };
    const started = await a.call(domains.domainCreateWithFlags, start, patient);
    expect(started.domain.id).toBeGreaterThan(0);
    await a.call(domains.domainResume, { domain });
    const status = await a.call(domainMonitorCommand, {
      domain,
      command: '{"execute":"query-status"}',
      flags: 0,
    });
    expect(JSON.parse(status.result)).toMatchObject({ return: { status: "running" } });
    await a.call(domains.domainSuspend, { domain });
    expect(await a.call(domains.domainGetState, { domain, flags: 0 })).toMatchObject({
      state: DomainState.paused,
    });
    expect(await a.call(domains.domainGetInfo, { domain })).toMatchObject({
      state: DomainState.paused,
      maxMemoryKib: 32n * 1024n,
      virtualCpus: 1,
    });
    const { xml } = await a.call(domains.domainGetXmlDesc, { domain, flags: 0 });
    expect(xml).toContain(`<uuid>${domain.uuid}</uuid>`);
    await a.call(domains.domainDestroy, { domain });
    await a.call(domains.domainUndefineFlags, { domain, flags: 0 });

    const {
      defined,
      started: began,
      suspended,
      resumed,
      stopped,
      undefined: gone,
    } = LifecycleEvent;
    // A guest that is destroyed may be told of as shut down first.
    const told = () =>
      heard.map(({ event }) => event).filter((event) => event !== LifecycleEvent.shutdown);
    await expect
      .poll(told, { timeout: 10_000 })
      .toEqual([defined, began, suspended, resumed, suspended, stopped, gone]);
    expect(new Set(heard.map((message) => message.domain.uuid))).toEqual(new Set([domain.uuid]));
    expect(monitored.map(({ event }) => event)).toEqual(expect.arrayContaining(["RESUME", "STOP"]));
    await expect(a.call(domains.domainLookupByName, { name: "web1" })).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_REFUSED",
      libvirtCode: LibvirtErrorCode.noDomain,
    });
  });

  test("the phases of a migration go through our hands, both to its end and back", async () => {
    await using b = await open(hostB);
    const domain = await define(a, "web2");
    await a.call(domains.domainCreateWithFlags, { domain, flags: 0 }, patient);
    const { live, changeProtection, persistDestination, undefineSource } = MigrateFlag;
    const flags = live | changeProtection | persistDestination | undefineSource;
    const chosen = { uri: "tcp://127.0.0.1:49152", destinationName: "web2", bandwidthMibps: 1000 };
    const parameters = migrationParameters(chosen);
    const prepare = async () => {
      const begun = await a.call(migration.domainMigrateBegin, { domain, parameters, flags });
      const destinationXml = begun.xml;
      const incoming = {
        parameters: migrationParameters({ ...chosen, destinationXml }),
        cookie: begun.cookie,
        flags,
      };
      return b.call(migration.domainMigratePrepare, incoming, patient);
    };

    await prepare();
    // No cookie: the source, whose it would be, has sent nothing.
    const first = { parameters, flags, cancelled: 1, cookie: none };
    await expect(b.call(migration.domainMigrateFinish, first)).rejects.toMatchObject({
      libvirtCode: LibvirtErrorCode.migrateFinishOk,
    });
    await a.call(migration.domainMigrateConfirm, { domain, ...first });
    expect(await a.call(domains.domainGetState, { domain, flags: 0 })).toMatchObject({
      state: DomainState.running,
    });
    expect(await a.call(domainGetJobInfo, { domain })).toMatchObject({ type: JobType.none });

    const completed = Promise.withResolvers<ReadonlyMap<string, unknown>>();
    await a.subscribe(jobCompletedEvent, (message) => {
      completed.resolve(parameterValues(message.parameters));
    });
    const { cookie } = await prepare();
    const sending = { domain, destinationUri: null, parameters, cookie, flags };
    const performed = await a.call(migration.domainMigratePerform, sending, { timeoutMs: null });
    const finished = await b.call(migration.domainMigrateFinish, {
      parameters,
      cookie: performed.cookie,
      flags,
      cancelled: 0,
    });
    const confirmed = { domain, parameters, cookie: finished.cookie, flags, cancelled: 0 };
    await a.call(migration.domainMigrateConfirm, confirmed);
    expect(await b.call(domains.domainGetState, { domain, flags: 0 })).toEqual({
      state: DomainState.running,
      reason: RunningReason.migrated,
    });
    expect((await completed.promise).get(JobField.downtime)).toEqual(expect.any(BigInt));
    const { parameters: statistics } = await b.call(domainGetJobStats, {
      domain,
      flags: JobStatsFlag.completed,
    });
    expect(parameterValues(statistics).get(JobField.memoryTotal)).toBeGreaterThan(0n);
    expect(await a.call(connect.connectListAllDomains, { needResults: 1, flags: 0 })).toEqual({
      domains: [],
      count: 0,
    });
    await b.call(domains.domainDestroy, { domain });
  });

  test("idle connections stay, a libvirtd that stands still is noticed and found again", async () => {
    // libvirtd pings after a second of silence here, and drops who does not answer twice.
    await using impatient = await open(hostA, {
      keepalive: { intervalMs: 200, mostUnanswered: 3 },
    });
    await delay(4_500);
    expect([a.isOpen, impatient.isOpen]).toEqual([true, true]);
    hostA.signal("SIGSTOP");
    try {
      expect(await impatient.closed).toMatchObject({ code: "SOJ_LIBVIRT_CLOSED" });
    } finally {
      hostA.signal("SIGCONT");
    }
    await using again = await open(hostA);
    expect(await again.call(connect.connectGetHostname, {})).toEqual({ hostname: "rpc-a" });
  });
});

const none = new Uint8Array(0);

/** A guest that is its firmware alone. ACPI, since libvirt 9 tells a QEMU without by an option that QEMU 10 lacks. */
function domainXml(name: string): string {
  return `<domain type='qemu'>
    <name>${name}</name>
    <uuid>${randomUUID()}</uuid>
    <memory unit='MiB'>32</memory>
    <vcpu>1</vcpu>
    <os><type arch='x86_64' machine='pc'>hvm</type></os>
    <features><acpi/></features>
    <devices>
      <emulator>/usr/bin/qemu-system-x86_64</emulator>
      <controller type='usb' model='none'/>
      <memballoon model='none'/>
    </devices>
  </domain>`;
}
