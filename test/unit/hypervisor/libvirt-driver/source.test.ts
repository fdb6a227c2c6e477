import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ThrottleParameters } from "../../../../src/hypervisor/hypervisor.ts";
import type { LibvirtInstance } from "../../../../src/hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import { LibvirtErrorCode } from "../../../../src/hypervisor/libvirt/rpc/constants/error-codes.ts";
import { MigrateFlag } from "../../../../src/hypervisor/libvirt/rpc/constants/flags.ts";
import {
  domainResume,
  domainSuspend,
} from "../../../../src/hypervisor/libvirt/rpc/procedures/domains.ts";
import { domainAbortJob } from "../../../../src/hypervisor/libvirt/rpc/procedures/jobs.ts";
import {
  domainMigrateBegin,
  domainMigrateConfirm,
  domainMigratePerform,
} from "../../../../src/hypervisor/libvirt/rpc/procedures/migration.ts";
import { delay } from "../../../../src/platform/clock.ts";
import {
  bytes,
  FakeDomainHost,
  fakeDefinition,
  fakeDomain,
} from "../../../support/fake-domain-host.ts";

const answer = { cookie: Buffer.from("prepare").toString("base64") };
const [paused, running] = [
  { state: 3, reason: 2 },
  { state: 1, reason: 6 },
];

describe("a domain as a source", () => {
  let host: FakeDomainHost;
  let web1: LibvirtInstance;
  let told: unknown[];

  beforeEach(async () => {
    host = await FakeDomainHost.start();
    const { uuid } = fakeDomain;
    web1 = await host.driver().adoptDomain({ definition: fakeDefinition, uuid });
    told = [];
    web1.onEvent(({ name, data }) => told.push(data.status ?? name));
  });
  afterEach(() => host[Symbol.asyncDispose]());

  /** A stream that QEMU sends. */
  async function sending(throttle: ThrottleParameters | null = null) {
    const perform = host.hold(domainMigratePerform);
    await web1.offerStream?.("host-b");
    const parameters = { downtimeLimitMs: 1, maxBandwidthBytesPerSecond: 8 * 2 ** 20 };
    await web1.prepareOutgoing({ ...parameters, throttle });
    const underWay = web1.migrateTo("192.0.2.7", 49_152, "host-b", answer);
    await perform.asked;
    host.isGoingOut = true;
    host.qemu("MIGRATION", { status: "setup" });
    host.qemu("MIGRATION", { status: "active" });
    await underWay;
    return perform;
  }

  const status = async () => (await web1.migrationProgress()).status;

  test("is slowed by libvirt where that is asked for, in the phase that sends", async () => {
    const throttle = { initialPercent: 20, incrementPercent: 10, maximumPercent: 80 };
    await sending(throttle);
    const { flags } = host.args.get("domain_migrate_perform3_params") as { flags: number };
    expect(flags & MigrateFlag.autoConverge).not.toBe(0);
    expect(host.parameters("domain_migrate_perform3_params")).toMatchObject({
      ...{ "auto_converge.initial": 20, "auto_converge.increment": 10 },
    });
  });

  test("is sent in libvirt's phases, and is gone when its last one has ended", async () => {
    const perform = await sending();
    expect(host.asked).toEqual([
      "domain_migrate_begin3_params",
      "domain_migrate_perform3_params",
      "domain_migrate_set_max_downtime",
    ]);
    const { flags } = host.args.get("domain_migrate_perform3_params") as { flags: number };
    expect(flags & MigrateFlag.paused).not.toBe(0);
    expect(flags & (MigrateFlag.persistDestination | MigrateFlag.undefineSource)).toBe(0);
    expect(host.parameters("domain_migrate_perform3_params")).toEqual({
      migrate_uri: "tcp://192.0.2.7:49152",
      destination_name: "web1",
      bandwidth: 8n,
    });
    expect(await status()).toBe("active");

    for (const each of ["pre-switchover", "device", "completed"]) {
      host.qemu("MIGRATION", { status: each });
    }
    const arrived = web1.waitForEvent("its end", ({ data }) => data.status === "pre-switchover", {
      timeoutMs: 5_000,
    });
    perform.answer({ cookie: bytes("perform") });
    expect((await arrived).timestampMs).toBeGreaterThan(1_700_000_000_000);
    expect(told).toEqual(["setup", "active", "device", "pre-switchover"]);
    expect(await status()).toBe("pre-switchover");

    host.asked.length = 0;
    const gone = web1.quit();
    await expect.poll(() => host.asked).toEqual(["domain_migrate_confirm3_params"]);
    expect(host.args.get("domain_migrate_confirm3_params")).toMatchObject({ cancelled: 0 });
    host.lifecycle(5, 3);
    await gone;
    expect([web1.isAlive(), web1.whyEnded]).toEqual([false, "migrated"]);
  });

  test("tells once of a stream that failed, when libvirt has let the guest go on", async () => {
    const perform = await sending();
    host.qemu("STOP");
    host.qemu("MIGRATION", { status: "failed" });
    host.qemu("RESUME");
    await expect.poll(() => told.at(-1)).toBe("RESUME");
    expect(await status()).toBe("active");
    host.isGoingOut = false;
    perform.refuse("the stream broke");
    await expect.poll(() => told.at(-1)).toBe("failed");
    expect(told).toEqual(["setup", "active", "STOP", "RESUME", "failed"]);
    expect(await web1.migrationProgress()).toMatchObject({ errorText: "the stream broke" });
    // libvirt is not asked to end what it has ended.
    await web1.cancelMigration();
    expect(host.asked).not.toContain("domain_abort_job");
    // Another one can be begun.
    expect(await web1.offerStream?.("host-b")).toMatchObject({ cookie: expect.any(String) });
    expect(await status()).toBe("setup");
  });

  test("is sent to nobody where libvirt refuses, and says so", async () => {
    host.refuse(domainMigratePerform as never, "unable to connect", 38);
    await web1.offerStream?.("host-b");
    await expect(web1.migrateTo("192.0.2.7", 49_152, "host-b", answer)).rejects.toMatchObject({
      code: "SOJ_STREAM_REFUSED",
      message: expect.stringContaining("unable to connect"),
    });
    await expect(web1.migrateTo("192.0.2.7", 49_152, "host-b", answer)).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_REFUSED",
    });
  });

  test("is taken back before it is sent", async () => {
    await web1.offerStream?.("host-b");
    expect([web1.hasOwnStream, await status()]).toEqual([true, "setup"]);
    await web1.cancelMigration();
    expect(host.args.get("domain_migrate_confirm3_params")).toMatchObject({ cancelled: 1 });
    expect([web1.hasOwnStream, await status()]).toEqual([false, "cancelled"]);
    // Without a stream there is nothing to be done.
    host.asked.length = 0;
    await web1.cancelMigration();
    expect(host.asked).toEqual([]);
  });

  test("is taken back while it is sent, also when the job cannot be aborted yet", async () => {
    const perform = await sending();
    host.refuse(domainAbortJob as never, "no job is active", LibvirtErrorCode.operationInvalid);
    const cancelled = web1.cancelMigration();
    await expect
      .poll(() => host.asked.filter((name) => name === "domain_abort_job").length)
      .toBe(2);
    host.reply(domainAbortJob, () => {
      host.isGoingOut = false;
      perform.refuse("aborted by client", LibvirtErrorCode.operationAborted);
      return {};
    });
    await cancelled;
    await expect.poll(() => told.at(-1)).toBe("cancelled");
    expect(host.asked).not.toContain("domain_migrate_confirm3_params");
  });

  test("is taken back after all of it has arrived, and let go on where libvirt does not", async () => {
    const perform = await sending();
    host.state = paused;
    perform.answer({ cookie: bytes("") });
    await expect.poll(() => told.at(-1)).toBe("pre-switchover");
    expect(await web1.runState()).toBe("postmigrate");
    host.asked.length = 0;
    await web1.cont();
    expect(host.asked).toEqual(["domain_migrate_confirm3_params", "domain_resume"]);
    expect(host.args.get("domain_migrate_confirm3_params")).toMatchObject({ cancelled: 1 });
    host.state = running;
    expect([await status(), await web1.runState()]).toEqual(["cancelled", "running"]);
    host.refuse(domainResume as never, "domain is already running", 55);
    await web1.cont();
    host.state = paused;
    await expect(web1.cont()).rejects.toMatchObject({ libvirtCode: 55 });
  });

  test("is not continued while it is sent, and its stop is told of before it is answered", async () => {
    await sending();
    await expect(web1.cont()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
    host.reply(domainSuspend, () => {
      void delay(30).then(() => host.qemu("STOP"));
      return {};
    });
    await web1.stop();
    expect(told.at(-1)).toBe("STOP");
    // A second one changes nothing, and no event is waited for.
    host.reply(domainSuspend, () => ({}));
    const beganMs = performance.now();
    await web1.stop();
    expect(performance.now() - beganMs).toBeLessThan(250);
  });

  test("a stream whose connection is lost is ended before it counts as failed", async () => {
    const perform = await sending();
    host.reply(domainAbortJob, () => {
      host.isGoingOut = false;
      return {};
    });
    host.libvirt.hangUp();
    await expect.poll(() => told.at(-1), { timeout: 5_000 }).toBe("failed");
    expect(host.asked).toContain("domain_abort_job");
    perform.answer({ cookie: bytes("too late") });
    expect(told.filter((each) => each === "failed")).toHaveLength(1);
  });

  test("a stream that others began is told of as theirs, for as long as it goes on", async () => {
    expect(await web1.othersProgress?.()).toMatchObject({ status: "none" });
    host.isGoingOut = true;
    expect(await web1.othersProgress?.()).toMatchObject({ status: "active" });
    expect(await web1.migrationProgress()).toMatchObject({ status: "none" });
    await web1.cancelMigration();
    expect(host.asked).not.toContain("domain_abort_job");
    const [found] = await host.driver().findInstances();
    expect(await found?.othersProgress?.()).toMatchObject({ status: "active" });
    host.isGoingOut = false;
    expect(await found?.othersProgress?.()).toMatchObject({ status: "none" });
  });

  test("a daemon that ends leaves its stream to libvirt", async () => {
    await sending();
    await web1[Symbol.asyncDispose]();
    await delay(50);
    expect(host.asked).not.toContain("domain_abort_job");
    expect(told.at(-1)).toBe("active");
    const [found] = await host.driver().findInstances();
    expect((await found?.migrationProgress())?.status).toBe("active");
  });

  test("a confirmed end that libvirt refuses ends by force", async () => {
    const perform = await sending();
    perform.answer({ cookie: bytes("") });
    await expect.poll(() => told.at(-1)).toBe("pre-switchover");
    host.refuse(domainMigrateConfirm as never, "not being migrated", 55);
    const gone = web1.quit();
    await expect.poll(() => host.asked.at(-1)).toBe("domain_destroy");
    host.lifecycle(5, 1);
    await gone;
    expect(web1.whyEnded).toBe("destroyed");
  });

  test("somebody else's migration is not touched, and is told of as QEMU tells it", async () => {
    host.isGoingOut = true;
    for (const each of ["setup", "active", "pre-switchover", "device", "completed"]) {
      host.qemu("MIGRATION", { status: each });
    }
    await expect.poll(() => told.at(-1)).toBe("completed");
    expect(told).toHaveLength(5);
    expect([web1.hasOwnStream, await status()]).toEqual([false, "none"]);
    await web1.cancelMigration();
    expect(host.asked).toEqual([]);
    host.refuse(domainMigrateBegin as never, "another migration job is already running", 55);
    await expect(web1.offerStream?.("host-b")).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_REFUSED",
    });
    host.lifecycle(5, 3);
    await web1.ended;
    expect(web1.whyEnded).toBe("migrated");
  });

  test("bandwidth and downtime are those that libvirt takes", async () => {
    const perform = await sending();
    await web1.setOutgoingParameters({ maxBandwidthBytesPerSecond: 1024, downtimeLimitMs: 0.2 });
    expect(host.args.get("domain_migrate_set_max_speed")).toMatchObject({ bandwidthMibps: 1n });
    expect(host.args.get("domain_migrate_set_max_downtime")).toMatchObject({ downtimeMs: 1n });
    await web1.setOutgoingParameters({ maxBandwidthBytesPerSecond: 0 });
    const { bandwidthMibps } = host.args.get("domain_migrate_set_max_speed") as {
      bandwidthMibps: bigint;
    };
    expect(bandwidthMibps).toBe(2n ** 20n);
    await expect(web1.setOutgoingParameters({ downtimeLimitMs: -1 })).rejects.toMatchObject({
      code: "SOJ_USAGE",
    });
    perform.answer({ cookie: bytes("") });
    await expect.poll(() => told.at(-1)).toBe("pre-switchover");
    host.asked.length = 0;
    await web1.setOutgoingParameters({ maxBandwidthBytesPerSecond: 1 });
    expect(host.asked).toEqual([]);
  });
});
