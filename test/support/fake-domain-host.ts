import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GuestDefinition, guestDefinitionFromJson } from "../../src/hypervisor/definition.ts";
import { createLibvirtHypervisor } from "../../src/hypervisor/libvirt/driver/driver.ts";
import type {
  LibvirtHypervisor,
  LibvirtHypervisorOptions,
} from "../../src/hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import { LibvirtErrorCode } from "../../src/hypervisor/libvirt/rpc/constants/error-codes.ts";
import { JobOperation, JobType } from "../../src/hypervisor/libvirt/rpc/constants/jobs.ts";
import { lifecycleEvent } from "../../src/hypervisor/libvirt/rpc/events/domain-events.ts";
import { monitorEvent } from "../../src/hypervisor/libvirt/rpc/events/monitor-event.ts";
import { MessageStatus } from "../../src/hypervisor/libvirt/rpc/packet.ts";
import type { Procedure } from "../../src/hypervisor/libvirt/rpc/procedure.ts";
import * as connect from "../../src/hypervisor/libvirt/rpc/procedures/connect.ts";
import * as domains from "../../src/hypervisor/libvirt/rpc/procedures/domains.ts";
import * as jobs from "../../src/hypervisor/libvirt/rpc/procedures/jobs.ts";
import * as migration from "../../src/hypervisor/libvirt/rpc/procedures/migration.ts";
import { connectDomainMonitorEventRegister } from "../../src/hypervisor/libvirt/rpc/procedures/qemu.ts";
import {
  parameter,
  parameterValues,
} from "../../src/hypervisor/libvirt/rpc/xdr/typed-parameter.ts";
import { encodeWireError } from "../../src/hypervisor/libvirt/rpc/xdr/wire-error.ts";
import { createLogger } from "../../src/platform/log.ts";
import { type FakeCall, FakeLibvirt, replyTo } from "./fake-libvirt.ts";

export const fakeDomain = { name: "web1", uuid: "9f1c1b6e-0c0e-4d57-8a53-0f6a3c6f0a11", id: 3 };
export const fakeXml = `<domain type='qemu'>
  <name>web1</name><uuid>${fakeDomain.uuid}</uuid><memory unit='MiB'>128</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-10.0'>hvm</type></os>
  <devices>
    <interface type='ethernet'>
      <mac address='52:54:00:00:00:01'/><target dev='lv-web1' managed='no'/><model type='virtio'/>
    </interface>
    <serial type='file'><source path='/var/log/web1.log'/></serial>
  </devices>
</domain>`;

export const fakeDefinition: GuestDefinition = guestDefinitionFromJson({
  ...{ name: "web1", uuid: fakeDomain.uuid, memory_mib: 128, hypervisor: "libvirt" },
  nics: [{ mac: "52:54:00:00:00:01" }],
});

/** A call that waits for a test to answer it. */
export interface HeldCall<Reply> {
  /** Resolves when it has come. */
  readonly asked: Promise<void>;
  answer(reply: Reply): void;
  refuse(description: string, code?: number): void;
}

/** A libvirt with one domain, and a driver that speaks with it. */
export class FakeDomainHost implements AsyncDisposable {
  readonly libvirt: FakeLibvirt;
  /** What was asked for, in order, but for questions. */
  readonly asked: string[] = [];
  /** The arguments of the latest call of each name. */
  readonly args = new Map<string, unknown>();
  isActive = true;
  state = { state: 1, reason: 1 };
  isGoingOut = false;
  readonly runDir: string;
  readonly #drivers: LibvirtHypervisor[] = [];

  static async start(): Promise<FakeDomainHost> {
    const runDir = await mkdtemp(join(tmpdir(), "fake-domain-host-"));
    return new FakeDomainHost(await FakeLibvirt.listen(), runDir);
  }

  private constructor(libvirt: FakeLibvirt, runDir: string) {
    this.libvirt = libvirt;
    this.runDir = runDir;
    libvirt.reply(connect.connectDomainEventCallbackRegisterAny, () => ({ callbackId: 1 }));
    libvirt.reply(connectDomainMonitorEventRegister, () => ({ callbackId: 2 }));
    libvirt.reply(connect.connectListAllDomains, () => ({
      domains: this.isActive ? [fakeDomain] : [],
      count: 1,
    }));
    libvirt.reply(domains.domainLookupByUuid, () => ({
      domain: { ...fakeDomain, id: this.isActive ? 3 : -1 },
    }));
    libvirt.reply(domains.domainGetXmlDesc, () => ({ xml: fakeXml }));
    libvirt.reply(domains.domainGetState, () => this.state);
    libvirt.reply(jobs.domainGetJobStats, () => ({
      type: this.isGoingOut ? JobType.unbounded : JobType.none,
      parameters: this.isGoingOut ? [parameter.int("operation", JobOperation.migrationOut)] : [],
    }));
    for (const procedure of [
      ...[domains.domainSuspend, domains.domainResume, domains.domainShutdown],
      ...[domains.domainDestroy, jobs.domainAbortJob],
    ]) {
      this.reply(procedure, () => ({}));
    }
    this.reply(migration.domainMigrateSetMaxDowntime, () => ({}));
    this.reply(migration.domainMigrateSetMaxSpeed, () => ({}));
    this.reply(migration.domainMigrateConfirm, () => ({}));
    this.reply(migration.domainMigrateBegin, () => ({ cookie: bytes("begin"), xml: fakeXml }));
    this.reply(migration.domainMigratePrepare, () => ({
      cookie: bytes("prepare"),
      uri: "tcp://192.0.2.7:49152",
    }));
    this.reply(migration.domainMigrateFinish, () => ({ domain: fakeDomain, cookie: bytes("") }));
  }

  /** Another daemon's driver, on the same records. */
  driver(options: Partial<LibvirtHypervisorOptions> = {}): LibvirtHypervisor {
    const driver = createLibvirtHypervisor({
      ...{ runDir: this.runDir, logger: createLogger("silent"), stream: { tls: false } },
      sockets: [this.libvirt.path],
      ...options,
    });
    this.#drivers.push(driver);
    return driver;
  }

  /** As `FakeLibvirt.reply`, and remembers that it was asked for. */
  reply<Arguments, Reply>(
    procedure: Procedure<Arguments, Reply>,
    answer: (args: Arguments) => Reply | undefined,
  ): void {
    this.libvirt.reply(procedure, (args) => {
      this.#remember(procedure.name, args);
      return answer(args);
    });
  }

  refuse(procedure: Procedure<never, unknown>, description: string, code = 9): void {
    this.libvirt.answer(procedure, (call) => {
      this.asked.push(procedure.name);
      return replyTo(call, wireError(description, code), { status: MessageStatus.error });
    });
  }

  /** The next calls wait; the latest of them is answered. */
  hold<Arguments, Reply>(procedure: Procedure<Arguments, Reply>): HeldCall<Reply> {
    const asked = Promise.withResolvers<void>();
    let held: FakeCall | null = null;
    this.libvirt.reply(procedure, (args, call) => {
      this.#remember(procedure.name, args);
      held = call;
      asked.resolve();
      return undefined;
    });
    const send = (payload: Uint8Array, status: number) => {
      held?.socket.write(replyTo(held, payload, { status }));
    };
    return {
      asked: asked.promise,
      answer: (reply) => send(procedure.reply.encode(reply), MessageStatus.ok),
      refuse: (description, code = LibvirtErrorCode.operationFailed) =>
        send(wireError(description, code), MessageStatus.error),
    };
  }

  /** The migration parameters of the latest call of that name. */
  parameters(name: string): Record<string, unknown> {
    const { parameters } = this.args.get(name) as { parameters: [] };
    return Object.fromEntries(parameterValues(parameters));
  }

  /** An event of QEMU's monitor. */
  qemu(event: string, data: object = {}, seconds = 1_700_000_000): void {
    const details = JSON.stringify(data);
    const stamp = { seconds: BigInt(seconds), microseconds: 250_000 };
    this.libvirt.event(monitorEvent, {
      callbackId: 2,
      domain: fakeDomain,
      event,
      ...stamp,
      details,
    });
  }

  lifecycle(event: number, detail: number): void {
    this.libvirt.event(lifecycleEvent, { callbackId: 1, domain: fakeDomain, event, detail });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const driver of this.#drivers) await driver[Symbol.asyncDispose]();
    await this.libvirt[Symbol.asyncDispose]();
    await rm(this.runDir, { recursive: true, force: true });
  }

  #remember(name: string, args: unknown): void {
    this.asked.push(name);
    this.args.set(name, args);
  }
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

function wireError(description: string, code: number): Uint8Array {
  return encodeWireError({ code, domain: 10, level: 2, description });
}
