import { baseProcedures } from "../../../src/daemon/procedures.ts";
import { migrationProcedures } from "../../../src/migrator/procedures.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { repointProcedures } from "../../../src/migrator/repoint-procedures.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import type { Logger } from "../../../src/platform/log.ts";
import type { HostName, Schedule } from "../schedule.ts";
import { Copies } from "./copies.ts";
import { DaemonProcess } from "./daemon-process.ts";
import type { FlowDoor } from "./fake-flow-table.ts";
import { FakeGates } from "./fake-gates.ts";
import { fakeHypervisor } from "./fake-hypervisor.ts";
import type { NetworkDoor } from "./fake-kernel.ts";
import { FakeLibvirtd } from "./fake-libvirtd.ts";
import { FakeQemu } from "./fake-qemu.ts";
import { hostFacts, initialRecord } from "./guest.ts";
import { Links } from "./links.ts";
import { silentLogger, tracingLogger } from "./loggers.ts";
import { Messenger, type MessengerOptions } from "./messenger.ts";
import type { Mutation } from "./mutation.ts";
import { PathWatch } from "./path-watch.ts";
import { Random } from "./random.ts";
import { SimulatedHost } from "./simulated-host.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { type ToldMigration, Words } from "./words.ts";

export const procedures = { ...migrationProcedures, ...repointProcedures, ...baseProcedures };

/** Two or three hosts, one guest, and what connects them. */
export class World {
  readonly clock = new VirtualClock();
  readonly copies = new Copies();
  readonly links = new Links(this.clock);
  readonly random: Random;
  readonly hosts = new Map<HostName, SimulatedHost>();
  /** Where guests are libvirt's domains. */
  readonly libvirtds = new Map<HostName, FakeLibvirtd>();
  readonly words: Words;
  readonly gates: FakeGates;
  readonly paths: PathWatch;
  readonly bootFailures: string[] = [];
  readonly trace: ((text: string) => void) | null;
  /** How many of the next operations on a host's network fail. */
  readonly failing = new Map<HostName, number>();
  /** Messages take long, and flows are not read, where the schedule has it so. */
  isDisturbed = false;
  /** No fault is left that could be the reason of anything. */
  healed = false;
  readonly #messages: MessengerOptions;
  readonly #schedule: Schedule;
  readonly #mutation: Mutation;
  readonly #logger: Logger;

  constructor(schedule: Schedule, mutation: Mutation, trace: ((text: string) => void) | null) {
    this.#schedule = schedule;
    this.#mutation = mutation;
    this.random = new Random(schedule.seed);
    this.trace =
      trace === null ? null : (text) => trace(`${this.clock.nowMs.toFixed(1).padStart(9)} ${text}`);
    this.#logger = this.trace === null ? silentLogger : tracingLogger(this.trace);
    this.words = new Words(this.copies, this.trace);
    this.gates = new FakeGates(schedule, this.copies, this.trace);
    this.paths = new PathWatch({
      ...{ copies: this.copies, trace: this.trace },
      kernels: (name) => this.hosts.get(name)?.kernel,
      isLeaving: (name) => Boolean(this.recordOf(name)?.outgoing),
    });
    this.clock.lostTimerMs = mutation.lostTimerMs ?? null;
    this.#messages = {
      clock: this.clock,
      random: this.random,
      links: this.links,
      procedures,
      slowness: 0,
      duplicates: 0,
      receiver: (host) => this.hosts.get(host as HostName)?.daemon ?? null,
      trace: this.trace,
    };
    for (const name of schedule.hosts) {
      if (schedule.seals) this.libvirtds.set(name, new FakeLibvirtd(name, this));
      this.#addHost(name);
    }
    this.#placeGuest();
  }

  host(name: HostName): SimulatedHost {
    return this.hosts.get(name) as SimulatedHost;
  }

  /** The host that runs the guest, or holds it paused. */
  get place(): HostName | null {
    const [copy] = this.copies.holders();
    return copy === undefined ? null : (copy.host as HostName);
  }

  /** The guest goes on from a host that is not its home to another one. */
  get isChained(): boolean {
    return this.#schedule.way !== undefined;
  }

  /** Asks the host where the guest is for a migration; the id, or null when it is refused. */
  async migrate(to: HostName): Promise<string | null> {
    const from = this.place;
    if (from === null) return null;
    this.trace?.(`${from} is asked to migrate the guest to ${to}`);
    try {
      return await this.host(from).migrate("web1", to);
    } catch (error) {
      this.trace?.(`the request is refused: ${error}`);
      return null;
    }
  }

  /** The migrations that live daemons are carrying out. */
  underWay(): ToldMigration[] {
    return [...this.hosts.values()].flatMap(
      ({ daemon }) =>
        daemon?.migrations.list({ limit: 100 }).filter(({ endedMs }) => endedMs === null) ?? [],
    );
  }

  /** What a host knows of the guest: its daemon, or else its disk. */
  recordOf(name: HostName): GuestRecord | null {
    const { daemon } = this.host(name);
    if (daemon !== null) return daemon.source.records.get("web1") ?? null;
    const bytes = this.host(name).disk.read("/state/guests/web1.json");
    return bytes === null ? null : JSON.parse(bytes.toString());
  }

  /** From here on messages may take long, and come twice, and gates are asked. */
  disturb(): void {
    this.isDisturbed = true;
    this.gates.areAsked = true;
    this.#messages.slowness = this.#schedule.slowness;
    this.#messages.duplicates = this.#schedule.duplicates;
  }

  /** From here on nothing goes wrong by itself. */
  heal(): void {
    this.healed = true;
    this.isDisturbed = false;
    this.gates.areAsked = false;
    this.#messages.slowness = 0;
    this.#messages.duplicates = 0;
    this.links.healAll();
    this.failing.clear();
    for (const qemu of this.copies.all) qemu.thaw();
    for (const libvirtd of this.libvirtds.values()) libvirtd.begin();
    for (const { process, disk } of this.hosts.values()) {
      disk.fails = null;
      if (process !== null)
        process.stalledUntilMs = Math.min(process.stalledUntilMs, this.clock.nowMs);
    }
  }

  #addHost(name: HostName): void {
    const host = new SimulatedHost(hostFacts[name], {
      clock: this.clock,
      messenger: new Messenger(this.#messages),
      logger: this.#logger,
      mutation: this.#mutation,
      hypervisor: (process) => this.#hypervisor(process),
      network: (process) => this.#network(process),
      flows: (process) => this.#flows(process),
      gates: () => this.gates.forHost(name),
      postCopy: this.#schedule.postCopy === true,
      onBootFailed: (error) => this.#bootFailed(name, error),
    });
    host.disk.syncs = this.#mutation.withoutSync !== true;
    host.disk.onReplaced = (path, content) => {
      if (!path.startsWith("/state/migrations/")) return;
      this.words.note(JSON.parse(content), this.clock.wallClockMs());
    };
    host.kernel.onChanged = () => this.paths.look();
    host.kernel.flows.isTracking = this.#schedule.flows !== undefined;
    this.hosts.set(name, host);
  }

  /** The service manager starts a daemon again that could not start. */
  #bootFailed(name: HostName, error: unknown): void {
    this.trace?.(`${name}'s daemon does not start: ${error}`);
    const host = this.host(name);
    host.kill();
    if (this.healed) this.bootFailures.push(`${name}'s daemon does not start: ${error}`);
    else this.clock.after(1_000, () => host.process ?? host.boot());
  }

  #placeGuest(): void {
    const storage = this.host("host-a").disk.storageFor(new DaemonProcess("host-a"));
    storage.replace("/state/guests/web1.json", JSON.stringify(initialRecord));
    const { flows } = this.host("host-a").kernel;
    for (let session = 0; session < (this.#schedule.flows?.sessions ?? 0); session += 1) {
      flows.begin("192.0.2.2", 10_000 + session);
    }
    // A guest of its own, with which the guest talks wherever it is.
    for (const [name, { kernel }] of this.hosts) {
      if (name === "host-b" && this.#schedule.flows) kernel.flows.begin("10.2.0.20", 40_000);
    }
    this.#start("host-a", false);
  }

  #start(host: string, incoming: boolean): FakeQemu {
    return new FakeQemu({
      host,
      definition: initialRecord.definition,
      incoming,
      runState: incoming ? "inmigrate" : this.#schedule.paused ? "paused" : "running",
      startsPaused: this.#mutation.startsRunning !== true,
      clock: this.clock,
      copies: this.copies,
      trace: this.trace,
    });
  }

  #hypervisor(process: DaemonProcess) {
    const { host } = process;
    return fakeHypervisor({
      process,
      logger: this.#logger,
      random: this.random.stream(`QEMU on ${host}`),
      links: this.links,
      held: this.#schedule.held,
      libvirtd: this.libvirtds.get(host as HostName) ?? null,
      processAt: (port) => this.copies.all.find((qemu) => qemu.alive && qemu.port === port) ?? null,
      processesHere: () => this.copies.on(host),
      startIncoming: () => this.#start(host, true),
      pause: (delayMs) => this.#pause(process, delayMs),
    });
  }

  #network(process: DaemonProcess): NetworkDoor {
    const host = process.host as HostName;
    const random = this.random.stream(`kernel of ${host}`);
    return {
      pause: (delayMs) => this.#pause(process, delayMs),
      isPathUp: (remoteAddress) => this.#isPathUp(host, remoteAddress),
      operation: async (name) => {
        await this.#pause(process, random.between(0.1, 4));
        const failures = this.failing.get(host) ?? 0;
        if (failures === 0) return;
        this.failing.set(host, failures - 1);
        this.trace?.(`${host}: ${name} fails`);
        throw new SojournError("SOJ_ROUTING_FAILED", `${name} failed`, { retryable: true });
      },
    };
  }

  #isPathUp(here: HostName, remoteAddress: string): boolean {
    const there = [...this.hosts.values()].find(
      ({ facts }) => facts.underlayAddress === remoteAddress,
    )?.facts.name;
    if (there === undefined) return false;
    const [out, back] = [
      { from: here, to: there },
      { from: there, to: here },
    ] as const;
    return this.links.isUp("data", out) && this.links.isUp("data", back);
  }

  #flows(process: DaemonProcess): FlowDoor {
    const random = this.random.stream(`flows on ${process.host}`);
    const failures = this.#schedule.flows?.failures ?? 0;
    return {
      random,
      pause: (delayMs) => this.#pause(process, delayMs),
      fails: () => this.isDisturbed && random.chance(failures),
    };
  }

  #pause(process: DaemonProcess, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (process.alive) this.clock.deliver(process, delayMs, resolve);
    });
  }
}
