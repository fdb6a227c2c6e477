import { afterEach, beforeEach, expect, test } from "vitest";
import {
  cpuOf,
  examineDomain,
} from "../../../../src/hypervisor/libvirt/adoption/examine-domain.ts";
import { needsOf, outlookFor } from "../../../../src/hypervisor/libvirt/adoption/outlook.ts";
import { DomainState } from "../../../../src/hypervisor/libvirt/rpc/constants/domain-state.ts";
import { LibvirtErrorCode } from "../../../../src/hypervisor/libvirt/rpc/constants/error-codes.ts";
import { MigrateFlag } from "../../../../src/hypervisor/libvirt/rpc/constants/flags.ts";
import {
  connectCompareHypervisorCpu,
  connectGetDomainCapabilities,
  connectGetVersion,
  connectListAllDomains,
} from "../../../../src/hypervisor/libvirt/rpc/procedures/connect.ts";
import {
  domainGetState,
  domainGetXmlDesc,
  domainLookupByName,
  domainLookupByUuid,
} from "../../../../src/hypervisor/libvirt/rpc/procedures/domains.ts";
import { domainGetJobInfo } from "../../../../src/hypervisor/libvirt/rpc/procedures/jobs.ts";
import { domainMigrateBegin } from "../../../../src/hypervisor/libvirt/rpc/procedures/migration.ts";
import { FakeLibvirt } from "../../../support/fake-libvirt.ts";
import { fixture } from "../domain-xml/fixtures.ts";

const uuid = "da275636-58e7-4170-8c1e-f6681149fadf";
const web1 = { name: "web1", uuid, id: 7 };
const refusal = (code: number, description: string) => ({
  code,
  domain: 10,
  level: 2,
  description,
});
const noJob = {
  type: 0,
  ...{ timeElapsedMs: 0n, timeRemainingMs: 0n, dataTotalBytes: 0n, dataProcessedBytes: 0n },
  ...{ dataRemainingBytes: 0n, memoryTotalBytes: 0n, memoryProcessedBytes: 0n },
  ...{
    memoryRemainingBytes: 0n,
    fileTotalBytes: 0n,
    fileProcessedBytes: 0n,
    fileRemainingBytes: 0n,
  },
};

let libvirt: FakeLibvirt;

beforeEach(async () => {
  libvirt = await FakeLibvirt.listen();
  libvirt.reply(domainLookupByName, () => ({ domain: web1 }));
  libvirt.reply(domainLookupByUuid, () => ({ domain: web1 }));
  libvirt.reply(domainGetState, () => ({ state: DomainState.running, reason: 1 }));
  libvirt.reply(domainGetXmlDesc, () => ({ xml: fixture("lab-migratable") }));
  libvirt.reply(domainGetJobInfo, () => noJob);
  libvirt.reply(connectListAllDomains, () => ({ domains: [web1], count: 1 }));
});

afterEach(() => libvirt[Symbol.asyncDispose]());

test("a domain is looked at as it runs, and libvirt asked whether it would let it go", async () => {
  const begun: number[] = [];
  libvirt.reply(domainMigrateBegin, ({ flags }) => {
    begun.push(flags);
    return { cookie: new Uint8Array(), xml: "" };
  });
  const examined = await examineDomain(await libvirt.connect(), "web1");
  expect(examined).toMatchObject({
    domain: web1,
    state: "running",
    hasAcpi: true,
    isPersistent: true,
    refusal: null,
  });
  expect(examined.cpu).toMatch(/^<cpu mode='custom'.*<\/cpu>$/s);
  // With its protection something would stay begun.
  expect(begun.map((flags) => flags & MigrateFlag.changeProtection)).toEqual([0]);
  expect(needsOf(examined)).toMatchObject({
    ...{ name: "web1", uuid, machine: "pc-i440fx-10.0", virtualization: "qemu" },
    paths: expect.arrayContaining([{ path: "/opt/lab/vmlinuz", need: "there" }]),
  });
});

test("one that may not move is told of in libvirt's words; one that is busy is not asked for", async () => {
  const words = refusal(
    LibvirtErrorCode.operationInvalid,
    "cannot migrate domain with 2 snapshots",
  );
  libvirt.refuse(domainMigrateBegin, words);
  const connection = await libvirt.connect();
  expect((await examineDomain(connection, uuid)).refusal).toBe(words.description);
  libvirt.reply(domainGetJobInfo, () => ({ ...noJob, type: 2 }));
  expect(await examineDomain(connection, uuid)).toMatchObject({ isBusy: true, refusal: null });
});

test("one that is not there, or does not run, is an error that says what to do", async () => {
  const connection = await libvirt.connect();
  libvirt.reply(domainGetState, () => ({ state: DomainState.shutoff, reason: 1 }));
  await expect(examineDomain(connection, "web1")).rejects.toMatchObject({
    ...{ code: "SOJ_GUEST_NOT_RUNNING", hint: "virsh start web1", exitCode: 3 },
  });
  libvirt.refuse(domainLookupByName, refusal(LibvirtErrorCode.noDomain, "no domain"));
  await expect(examineDomain(connection, "web1")).rejects.toMatchObject({
    ...{ code: "SOJ_DOMAIN_UNKNOWN", httpStatus: 404 },
  });
});

test("a host is asked for machine, processor and namesakes", async () => {
  const connection = await libvirt.connect();
  libvirt.reply(domainMigrateBegin, () => ({ cookie: new Uint8Array(), xml: "" }));
  const needs = needsOf(await examineDomain(connection, "web1"));
  libvirt.reply(connectGetVersion, () => ({ version: 10_000_002n }));
  libvirt.refuse(domainLookupByName, refusal(LibvirtErrorCode.noDomain, "no domain"));
  libvirt.reply(domainGetState, () => ({ state: DomainState.shutoff, reason: 1 }));
  libvirt.reply(connectGetDomainCapabilities, () => ({ capabilities: "<domainCapabilities/>" }));
  libvirt.reply(connectCompareHypervisorCpu, () => ({ result: 2 }));
  expect(await outlookFor(connection, needs)).toEqual({
    ...{ libvirtVersion: "9.0.2", qemuVersion: "10.0.2", machineRefusal: null, cpuRefusal: null },
    namesakes: [{ name: "web1", uuid, isActive: false }],
  });
  libvirt.refuse(connectGetDomainCapabilities, refusal(8, "the machine 'x' is not supported"));
  libvirt.refuse(connectCompareHypervisorCpu, refusal(LibvirtErrorCode.cpuIncompatible, "no avx"));
  expect(await outlookFor(connection, needs)).toMatchObject({
    ...{ machineRefusal: "the machine 'x' is not supported", cpuRefusal: "no avx" },
  });
  libvirt.refuse(connectCompareHypervisorCpu, refusal(LibvirtErrorCode.noSupport, "cannot tell"));
  expect(await outlookFor(connection, needs)).toMatchObject({ cpuRefusal: null });
});

test("a description without a processor has none", () => {
  expect(cpuOf("<domain><name>a</name></domain>")).toBeNull();
});
