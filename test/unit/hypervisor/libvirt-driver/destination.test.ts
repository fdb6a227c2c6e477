import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type {
  LibvirtHypervisor,
  LibvirtInstance,
} from "../../../../src/hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import {
  domainMigrateFinish,
  domainMigratePrepare,
} from "../../../../src/hypervisor/libvirt/rpc/procedures/migration.ts";
import {
  bytes,
  FakeDomainHost,
  fakeDefinition,
  fakeDomain,
  fakeXml,
} from "../../../support/fake-domain-host.ts";

const offer = { description: fakeXml, cookie: Buffer.from("begin").toString("base64") };
const nics = [{ tapName: "sjt012345678" }];

describe("a domain that arrives", () => {
  let host: FakeDomainHost;
  let driver: LibvirtHypervisor;

  beforeEach(async () => {
    host = await FakeDomainHost.start();
    host.isActive = false;
    driver = host.driver();
  });
  afterEach(() => host[Symbol.asyncDispose]());

  async function incoming() {
    return (await driver.startIncoming(fakeDefinition, nics, offer)) as LibvirtInstance;
  }

  /** QEMU awaits the stream. */
  async function listening() {
    const web1 = await incoming();
    const listening = await web1.listenForMigration("192.0.2.7", "host-a");
    Object.assign(host, { isActive: true, state: { state: 3, reason: 2 } });
    return { web1, ...listening };
  }

  test("is prepared on its tap, and there only once that was asked for", async () => {
    const web1 = await incoming();
    expect(host.asked).toEqual([]);
    expect([web1.isAlive(), web1.pid, await web1.runState()]).toEqual([true, 0, "inmigrate"]);
    expect(await web1.listenForMigration("192.0.2.7", "host-a")).toEqual({
      port: 49_152,
      answer: { cookie: Buffer.from("prepare").toString("base64") },
    });
    expect(host.parameters("domain_migrate_prepare3_params")).toEqual({
      migrate_uri: "tcp://192.0.2.7",
      listen_address: "192.0.2.7",
      destination_name: "web1",
      destination_xml: fakeXml.replace("lv-web1", "sjt012345678"),
    });
    const { cookie } = host.args.get("domain_migrate_prepare3_params") as { cookie: Uint8Array };
    expect(Buffer.from(cookie).toString()).toBe("begin");
    expect(web1).toMatchObject({ consolePath: "/var/log/web1.log", incoming: true, nics });
  });

  test("is finished as soon as QEMU has loaded it, and counts as loaded when libvirt has", async () => {
    const { web1 } = await listening();
    const finish = host.hold(domainMigrateFinish);
    const told: unknown[] = [];
    web1.onEvent(({ name, data }) => told.push(data.status ?? name));
    host.qemu("MIGRATION", { status: "active" });
    host.qemu("MIGRATION", { status: "completed" });
    await finish.asked;
    expect(host.args.get("domain_migrate_finish3_params")).toMatchObject({ cancelled: 0 });
    expect((await web1.migrationProgress()).status).toBe("active");
    await expect(web1.cont()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
    host.state = { state: 3, reason: 1 };
    finish.answer({ domain: fakeDomain, cookie: bytes("") });
    await expect.poll(() => told).toEqual(["active", "completed"]);
    expect((await web1.migrationProgress()).status).toBe("completed");
    expect(await web1.runState()).toBe("paused");
    await web1.cont();
    expect(host.asked.at(-1)).toBe("domain_resume");
  });

  test("that does not load is gone", async () => {
    const { web1 } = await listening();
    host.refuse(domainMigrateFinish as never, "the stream is not whole");
    host.qemu("MIGRATION", { status: "completed" });
    await expect.poll(async () => (await web1.migrationProgress()).status).toBe("failed");
    host.lifecycle(5, 5);
    await web1.ended;
    expect(web1.whyEnded).toBe("failed");
    await expect(web1.runState()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_GONE" });
  });

  test("whose last phase was not answered is what libvirt then says", async () => {
    const { web1 } = await listening();
    const finish = host.hold(domainMigrateFinish);
    host.qemu("MIGRATION", { status: "completed" });
    await finish.asked;
    host.state = { state: 3, reason: 1 };
    host.libvirt.hangUp();
    await expect
      .poll(async () => (await web1.migrationProgress().catch(() => null))?.status, {
        timeout: 5_000,
      })
      .toBe("completed");
  });

  test("is destroyed when nobody wants it any more, and nothing is where libvirt has none", async () => {
    const web1 = await incoming();
    await web1.quit();
    expect([web1.isAlive(), host.asked]).toEqual([false, []]);
    const another = (await listening()).web1;
    const gone = another.quit(0);
    await expect.poll(() => host.asked.at(-1)).toBe("domain_destroy");
    host.lifecycle(5, 1);
    await gone;
    host.isActive = false;
    expect(await driver.findInstances()).toEqual([]);
  });

  test("that libvirt refuses leaves the running one of its name alone", async () => {
    host.isActive = true;
    host.refuse(domainMigratePrepare as never, "domain 'web1' is already active", 55);
    const web1 = await incoming();
    await expect(web1.listenForMigration("192.0.2.7", "host-a")).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_REFUSED",
    });
    await web1.quit();
    expect(host.asked).not.toContain("domain_destroy");
  });

  test("takes the next port of its range where one is taken", async () => {
    driver = host.driver({ ports: { first: 50_000, last: 50_002 } });
    let tries = 0;
    host.reply(domainMigratePrepare, () => {
      tries += 1;
      const uri = `tcp://192.0.2.7:${49_999 + tries}`;
      return { cookie: bytes(""), uri };
    });
    const first = await incoming();
    expect((await first.listenForMigration("192.0.2.7", "host-a")).port).toBe(50_000);
    expect(host.parameters("domain_migrate_prepare3_params")).toMatchObject({
      migrate_uri: "tcp://192.0.2.7:50000",
    });
    await first[Symbol.asyncDispose]();
    host.refuse(domainMigratePrepare as never, "Failed to bind: Address already in use");
    const second = await incoming();
    await expect(second.listenForMigration("192.0.2.7", "host-a")).rejects.toMatchObject({
      message: expect.stringContaining("Address already in use"),
    });
    expect(host.asked.filter((name) => name === "domain_migrate_prepare3_params")).toHaveLength(4);
  });

  test("is judged by what the other host says of it", async () => {
    const refused = (description: string, wanted = fakeDefinition) =>
      expect(driver.startIncoming(wanted, nics, { ...offer, description })).rejects;
    await expect(driver.startIncoming(fakeDefinition, nics)).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_REFUSED",
    });
    await refused("<nothing/>").toMatchObject({ code: "SOJ_LIBVIRT_XML" });
    const another = fakeXml.replace(fakeDomain.uuid, "0a0b0c0d-1111-4222-8333-444455556666");
    await refused(another).toMatchObject({ code: "SOJ_HYPERVISOR_WRONG_GUEST" });
    const renamed = fakeXml.replace("<name>web1</name>", "<name>web2</name>");
    await refused(renamed).toMatchObject({ code: "SOJ_HYPERVISOR_WRONG_GUEST" });
    const bound = fakeXml.replace("<serial", "<hostdev mode='subsystem' type='pci'/><serial");
    await refused(bound).toMatchObject({ code: "SOJ_GUEST_NOT_MOVABLE" });
    const [nic] = fakeDefinition.nics;
    const mac = "52:54:00:00:00:02";
    await refused(fakeXml, {
      ...fakeDefinition,
      nics: [{ ...(nic as NonNullable<typeof nic>), mac }],
    }).toMatchObject({ code: "SOJ_LIBVIRT_REWRITE" });
    expect(host.asked).toEqual([]);
  });

  test("does not come where it is, or where libvirt does not answer", async () => {
    await listening();
    await expect(incoming()).rejects.toMatchObject({ code: "SOJ_GUEST_RUNNING" });
    const nowhere = host.driver({ sockets: [`${host.runDir}/nothing`] });
    await expect(nowhere.startIncoming(fakeDefinition, nics, offer)).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_DISCONNECTED",
      retryable: true,
    });
    await expect(nowhere.start(fakeDefinition, nics)).rejects.toMatchObject({
      code: "SOJ_LIBVIRT_START",
      hint: "virsh start web1",
    });
  });
});
