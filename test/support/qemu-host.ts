import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { type GuestDefinition, guestDefinitionFromJson } from "../../src/hypervisor/definition.ts";
import type { GuestEvent, GuestInstance, Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import type { PortRange } from "../../src/hypervisor/qemu/migration.ts";
import { createQemuHypervisor } from "../../src/hypervisor/qemu/qemu-hypervisor.ts";
import type { StreamTls } from "../../src/hypervisor/qemu/stream-tls.ts";

/** A guest without a kernel: its firmware finds nothing to boot and idles. */
export function firmwareGuest(overrides: Record<string, unknown> = {}): GuestDefinition {
  return guestDefinitionFromJson({ name: "web1", memory_mib: 64, ...overrides });
}

/** A run folder of its own with a hypervisor; what was started here ends with it. */
export class QemuHost implements AsyncDisposable {
  readonly runDir: string;
  readonly #tls: StreamTls | null;
  readonly #ports: PortRange | null;
  hypervisor: Hypervisor;
  readonly #owned: GuestInstance[] = [];

  /** Migration streams are in clear without `tls`, and come in on any port without `ports`. */
  static async create(
    tls: StreamTls | null = null,
    ports: PortRange | null = null,
  ): Promise<QemuHost> {
    return new QemuHost(await mkdtemp("/tmp/qemu-host-"), tls, ports);
  }

  private constructor(runDir: string, tls: StreamTls | null, ports: PortRange | null) {
    this.runDir = runDir;
    this.#tls = tls;
    this.#ports = ports;
    this.hypervisor = this.newHypervisor();
  }

  /** As a daemon that was started again would have. */
  newHypervisor(): Hypervisor {
    const logger = pino({ level: "silent" });
    const [tls, ports] = [this.#tls, this.#ports];
    return createQemuHypervisor({ runDir: this.runDir, logger, tls, ports });
  }

  async start(definition = firmwareGuest()): Promise<GuestInstance> {
    return this.own(await this.hypervisor.start(definition, []));
  }

  async startIncoming(definition = firmwareGuest()): Promise<GuestInstance> {
    return this.own(await this.hypervisor.startIncoming(definition, []));
  }

  own(instance: GuestInstance): GuestInstance {
    this.#owned.push(instance);
    return instance;
  }

  pathOf(instance: GuestInstance, file: string): string {
    return join(this.runDir, "guests", instance.guest, instance.instanceId, file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const instance of this.#owned) {
      await instance.quit(0);
      await instance[Symbol.asyncDispose]();
    }
    await rm(this.runDir, { recursive: true, force: true });
  }
}

/** Waits for a status of the migration as one side's events tell it. */
export function migrationStatus(instance: GuestInstance, status: string): Promise<GuestEvent> {
  return instance.waitForEvent(
    `migration status ${status}`,
    ({ name, data }) => name === "MIGRATION" && data.status === status,
    { timeoutMs: 20_000 },
  );
}

export function eventNamed(instance: GuestInstance, wanted: string): Promise<GuestEvent> {
  return instance.waitForEvent(wanted, ({ name }) => name === wanted, { timeoutMs: 20_000 });
}
