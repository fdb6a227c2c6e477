import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type {
  LibvirtHypervisor,
  StartedDomain,
} from "../../../../src/hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import { domainGetState } from "../../../../src/hypervisor/libvirt/rpc/procedures/domains.ts";
import { FakeDomainHost, fakeDefinition, fakeDomain } from "../../../support/fake-domain-host.ts";

const { uuid } = fakeDomain;
const paused = { state: 3, reason: 1 };

describe("libvirt's driver", () => {
  let host: FakeDomainHost;
  let driver: LibvirtHypervisor;
  const record = () => join(host.runDir, "libvirt", "web1.json");
  const adopt = () => driver.adoptDomain({ definition: fakeDefinition, uuid });

  beforeEach(async () => {
    host = await FakeDomainHost.start();
    driver = host.driver();
  });
  afterEach(() => host[Symbol.asyncDispose]());

  test("takes hold of a domain that runs, and knows it again", async () => {
    const web1 = await adopt();
    expect(web1).toMatchObject({
      ...{ guest: "web1", uuid, isAdopted: true, incoming: false, sealsStream: true },
      ...{ nics: [{ tapName: "lv-web1" }], consolePath: "/var/log/web1.log" },
    });
    expect(await adopt()).toBe(web1);
    expect(await driver.findInstances()).toEqual([web1]);
    const [again] = await host.driver().findInstances();
    expect(again).toMatchObject({ instanceId: web1.instanceId, nics: web1.nics });
    expect(await again?.runState()).toBe("running");
    await driver.letGo(web1);
    expect(await host.driver().findInstances()).toEqual([]);
    expect(host.asked).toEqual([]);
  });

  test("takes nothing that does not run, or is not what it is said to be", async () => {
    const other = "0a0b0c0d-1111-4222-8333-444455556666";
    const wrong = { definition: { ...fakeDefinition, uuid: other }, uuid };
    await expect(driver.adoptDomain(wrong)).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_WRONG_GUEST",
    });
    const nics = fakeDefinition.nics.map((nic) => ({ ...nic, mac: "52:54:00:00:00:09" }));
    await expect(
      driver.adoptDomain({ definition: { ...fakeDefinition, nics }, uuid }),
    ).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_WRONG_GUEST" });
    host.isActive = false;
    await expect(adopt()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_GONE" });
    await expect(readFile(record())).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("forgets what has ended while nobody looked, and leaves alone what it cannot read", async () => {
    await adopt();
    host.isActive = false;
    expect(await host.driver().findInstances()).toEqual([]);
    await expect(readFile(record())).rejects.toMatchObject({ code: "ENOENT" });
    await writeFile(record(), "{");
    expect(await host.driver().findInstances()).toEqual([]);
    expect(await readFile(record(), "utf8")).toBe("{");
  });

  test("hands out what libvirt cannot be asked about, and finds out later", async () => {
    await adopt();
    const nowhere = host.driver({ sockets: [`${host.runDir}/nothing`] });
    const [web1] = await nowhere.findInstances();
    expect([web1?.isAlive(), nowhere.isConnected]).toEqual([true, false]);
    await expect(web1?.runState()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_DISCONNECTED" });
    await expect(web1?.quit()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_DISCONNECTED" });
    expect(web1?.isAlive()).toBe(true);
  });

  test("connects again, and tells what was missed", async () => {
    const web1 = await adopt();
    const told: string[] = [];
    web1.onEvent(({ name }) => told.push(name));
    const waiting = web1.waitForEvent("anything", () => true, { timeoutMs: 5_000 });
    host.state = paused;
    host.libvirt.hangUp();
    await expect(waiting).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_DISCONNECTED" });
    await expect.poll(() => told, { timeout: 5_000 }).toEqual(["STOP"]);
    expect(await web1.runState()).toBe("paused");
    host.state = { state: 1, reason: 5 };
    host.libvirt.hangUp();
    await expect.poll(() => told, { timeout: 5_000 }).toEqual(["STOP", "RESUME"]);

    host.isActive = false;
    host.libvirt.hangUp();
    await web1.ended;
    expect([web1.whyEnded, driver.isConnected]).toEqual(["unknown", expect.any(Boolean)]);
    await expect(web1.stop()).rejects.toThrow();

    const started: StartedDomain[] = [];
    driver.onDomainStarted((domain) => started.push(domain));
    host.isActive = true;
    await expect.poll(() => driver.isConnected).toBe(true);
    host.libvirt.hangUp();
    const found = [{ name: "web1", uuid, how: "found" }];
    await expect.poll(() => started, { timeout: 5_000 }).toEqual(found);
  });

  test("tells of domains that start, but for guests'", async () => {
    const started: StartedDomain[] = [];
    await driver.findInstances();
    const stop = driver.onDomainStarted((domain) => started.push(domain));
    driver.onDomainStarted(() => {
      throw new Error("a listener that fails");
    });
    host.lifecycle(2, 0);
    host.lifecycle(2, 1);
    await expect.poll(() => started.map(({ how }) => how)).toEqual(["booted", "migrated"]);
    const web1 = await adopt();
    host.lifecycle(2, 0);
    host.lifecycle(5, 0);
    await web1.ended;
    expect(web1.whyEnded).toBe("shutdown");
    host.lifecycle(2, 0);
    await expect.poll(() => started.length).toBe(3);
    stop();
    host.lifecycle(2, 0);
    expect(await driver.domains()).toHaveLength(1);
    expect(started).toHaveLength(3);
  });

  test("describes what runs", async () => {
    expect(await driver.domains()).toMatchObject([
      {
        name: "web1",
        uuid,
        state: "running",
        isPersistent: true,
        facts: { machine: "pc-i440fx-10.0" },
      },
    ]);
    const web1 = await adopt();
    expect(await web1.openStorage()).toEqual({ files: [], replacedDisks: [] });
  });

  test("libvirt that does not know the domain any more means that it has ended", async () => {
    const web1 = await adopt();
    host.refuse(domainGetState as never, "no domain with matching uuid", 42);
    await expect(web1.runState()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_GONE" });
    expect(web1.isAlive()).toBe(false);
  });

  test("a process that is gone is seen to be, before libvirt has told of it", async () => {
    const qemu = spawn("/usr/bin/tail", ["-f", "/dev/null", uuid], { stdio: "ignore" });
    const folder = join(dirname(host.libvirt.path), "qemu");
    await mkdir(folder, { recursive: true });
    try {
      await writeFile(join(folder, "web1.pid"), `${qemu.pid}\n`);
      const web1 = await adopt();
      expect([web1.pid, web1.isProcessGone?.()]).toEqual([qemu.pid, false]);
      qemu.kill("SIGKILL");
      await once(qemu, "exit");
      expect([web1.isAlive(), web1.isProcessGone?.()]).toEqual([true, true]);
    } finally {
      qemu.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("a stream that an earlier daemon has left goes on, and can be ended", async () => {
    await adopt();
    host.isGoingOut = true;
    const [web1] = await host.driver().findInstances();
    expect((await web1?.migrationProgress())?.status).toBe("active");
    await web1?.cancelMigration();
    expect(host.asked).toEqual(["domain_abort_job"]);
    host.isGoingOut = false;
    expect((await web1?.migrationProgress())?.status).toBe("none");
    host.isGoingOut = true;
    expect((await web1?.migrationProgress())?.status).toBe("none");
  });
});
