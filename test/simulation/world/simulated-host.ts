import type { DaemonConfig } from "../../../src/daemon/config.ts";
import { MigrationStarter } from "../../../src/daemon/migration-starter.ts";
import { baseHandlers, protocolVersion } from "../../../src/daemon/procedures.ts";
import type { Hypervisor } from "../../../src/hypervisor/hypervisor.ts";
import { Destinations } from "../../../src/migrator/destinations.ts";
import { forgetFlows } from "../../../src/migrator/forget-flows.ts";
import type { Gates } from "../../../src/migrator/gates.ts";
import { tellHomeOfEnd } from "../../../src/migrator/guest-ended.ts";
import { GuestShares } from "../../../src/migrator/guest-share-links.ts";
import { Guests } from "../../../src/migrator/guests.ts";
import { HomeDuties } from "../../../src/migrator/home-duties.ts";
import { HomeTeller } from "../../../src/migrator/home-teller.ts";
import { HostNetwork } from "../../../src/migrator/host-network.ts";
import { Journal } from "../../../src/migrator/journal.ts";
import { holdDamaged } from "../../../src/migrator/journal-holds.ts";
import { usualOptions } from "../../../src/migrator/migration-options.ts";
import { Migrations } from "../../../src/migrator/migrations.ts";
import type { HostFacts } from "../../../src/migrator/network.ts";
import { Notices } from "../../../src/migrator/notices.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import { recoverHost } from "../../../src/migrator/recovery.ts";
import { Resolutions } from "../../../src/migrator/resolutions.ts";
import type { SourceContext } from "../../../src/migrator/source-context.ts";
import type { Logger } from "../../../src/platform/log.ts";
import { DaemonProcess, runningProcess } from "./daemon-process.ts";
import { diskHistory } from "./disk-history.ts";
import { type FlowDoor, fakeFlowTable } from "./fake-flow-table.ts";
import { FakeKernel, fakeRouting, fakeTunnels, type NetworkDoor } from "./fake-kernel.ts";
import { MemoryDisk } from "./memory-disk.ts";
import type { Handlers, Messenger } from "./messenger.ts";
import type { Mutation } from "./mutation.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** What the daemons of a host are given by the world. */
export interface HostDoors {
  clock: VirtualClock;
  messenger: Messenger;
  logger: Logger;
  mutation: Mutation;
  hypervisor(process: DaemonProcess): Hypervisor;
  network(process: DaemonProcess): NetworkDoor;
  flows(process: DaemonProcess): FlowDoor;
  gates(): Gates;
  /** Guests may go by post-copy. */
  postCopy: boolean;
  onBootFailed(error: unknown): void;
}

export interface Daemon {
  process: DaemonProcess;
  source: SourceContext;
  migrations: Migrations;
  destinations: Destinations;
  starter: MigrationStarter;
  resolutions: Resolutions;
  notices: Notices;
  homes: HomeTeller;
  homeDuties: HomeDuties;
  handlers: Handlers;
}

const policy = {
  frozenDeadlineMs: 2_000,
  downtimeLimitMs: 300,
  maxBandwidthBytesPerSecond: 0,
  minimumPasses: 2,
  finishLimitMs: 2_000,
  linkBytesPerSecond: 0,
  multifdChannels: 0,
  compression: "none" as const,
  settleDeadlineMs: 15_000,
  takeoverDeadlineMs: 5_000,
};

/** A host: what survives its daemons, and the daemon that runs on it now. */
export class SimulatedHost {
  readonly facts: HostFacts;
  readonly disk: MemoryDisk;
  readonly kernel = new FakeKernel();
  readonly #doors: HostDoors;
  #process: DaemonProcess | null = null;
  #daemon: Daemon | null = null;

  constructor(facts: HostFacts, doors: HostDoors) {
    this.facts = facts;
    this.disk = new MemoryDisk(doors.clock);
    this.#doors = doors;
  }

  get process(): DaemonProcess | null {
    return this.#process;
  }

  /** The daemon, once it has started. */
  get daemon(): Daemon | null {
    return this.#daemon;
  }

  kill(): void {
    this.#process?.end();
    this.#process = null;
    this.#daemon = null;
  }

  /** As for SIGTERM. */
  async stop(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === null) return this.kill();
    await runningProcess.run(daemon.process, async () => {
      await daemon.migrations.windDown(20_000);
      await daemon.source.guests.disconnect();
      daemon.destinations[Symbol.dispose]();
      daemon.notices[Symbol.dispose]();
      daemon.homes[Symbol.dispose]();
      daemon.homeDuties[Symbol.dispose]();
    });
    if (this.#process === daemon.process) this.kill();
  }

  boot(): void {
    this.kill();
    const process = new DaemonProcess(this.facts.name);
    this.#process = process;
    this.kernel.barriers.clear();
    void runningProcess.run(process, () =>
      this.#compose(process).then(
        (daemon) => {
          if (process.alive) this.#daemon = daemon;
        },
        (error: unknown) => {
          if (process.alive) this.#doors.onBootFailed(error);
        },
      ),
    );
  }

  /** Asks the daemon for a migration; its id. */
  async migrate(guest: string, to: string): Promise<string> {
    const daemon = this.#daemon;
    if (daemon === null) throw new Error(`${this.facts.name}'s daemon does not run`);
    return await runningProcess.run(daemon.process, () => daemon.starter.start({ guest, to }));
  }

  async #compose(process: DaemonProcess): Promise<Daemon> {
    const { messenger, logger, mutation } = this.#doors;
    const host = this.facts;
    const storage = this.disk.storageFor(process);
    const journal = new Journal("/state/journal", storage);
    const records = new RecordStore("/state/guests", storage);
    holdDamaged(journal, records, logger);
    const door = this.#doors.network(process);
    const tunnels = fakeTunnels(this.kernel, door);
    const routing = fakeRouting(this.kernel, door);
    const network = new HostNetwork(host, tunnels, routing, records, logger);
    const hypervisor = this.#doors.hypervisor(process);
    mutation.daemon?.(journal, hypervisor, storage);
    const definitionsFolder = "/nonexistent";
    const guests = new Guests({ host, hypervisor, network, records, definitionsFolder, logger });
    const peer = (name: string) => messenger.caller(process, name);
    guests.onEnded = async (record) => {
      if (record.home.host === host.name) return;
      await forgetFlows(shared, record);
      await tellHomeOfEnd({ homes, peer }, record);
    };
    const flows = fakeFlowTable(this.kernel.flows, this.#doors.flows(process));
    const homes = new HomeTeller({ records, network, peer, logger });
    const shared = { host, guests, network, records, journal, flows, logger, homes };
    const gates = mutation.gates?.(this.#doors.gates()) ?? this.#doors.gates();
    const shares = new GuestShares(routing, 0, logger);
    const unsentBytes = () => 0;
    const source: SourceContext = { ...shared, peer, policy, gates, shares, unsentBytes };
    const destinations = new Destinations(shared);
    const migrations = new Migrations(source, diskHistory(storage));
    const notices = new Notices(source);
    const resolutions = new Resolutions({ context: source, migrations, destinations, notices });
    const config = configOf(host, this.#doors.postCopy);
    const starter = new MigrationStarter({
      ...{ config, context: source, migrations, tunnels, peer },
      storage: async () => [],
    });
    const homeDuties = new HomeDuties({
      ...{ ...shared, peer },
      isArriving: (guest) => destinations.isArriving(guest),
      isRunning: (id) => migrations.isRunning(id),
      drainOf: () => ({ idleTimeoutS: 7440, capS: null, nameTtlS: 0, updatesName: false }),
      underlayAddressOf: async (name) =>
        (await peer(name).call("hello", { protocol_version: protocolVersion, host: host.name }))
          .underlay_address,
    });
    await recoverHost(source, migrations, destinations);
    homeDuties.begin();
    homes.begin();
    notices.tell();
    const served = {
      ...baseHandlers(config, hypervisor),
      ...{ ...destinations.handlers(), ...homeDuties.handlers() },
    } as unknown as Handlers;
    const handlers = mutation.handlers?.(served, { journal, records }) ?? served;
    return {
      ...{ process, source, migrations, destinations, starter, resolutions, notices },
      homes,
      homeDuties,
      handlers,
    };
  }
}

/** What a starter and the base procedures read of a configuration. */
function configOf(host: HostFacts, postCopy: boolean): DaemonConfig {
  const { name, underlayAddress, guestNetworks } = host;
  const migration = {
    tunnel: "ipip",
    tls: false,
    timeoutS: 60,
    options: { ...usualOptions, postCopy },
  };
  return { host: { name, underlayAddress }, guestNetworks, migration } as unknown as DaemonConfig;
}
