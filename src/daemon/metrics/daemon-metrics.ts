import type { HostRole } from "../../migrator/host-role.ts";
import type { MigrationReport } from "../../migrator/report.ts";
import type { MigrationEvent, MigrationStatus } from "../services.ts";
import { ApiMetrics } from "./api-metrics.ts";
import { CertificateMetrics } from "./certificate-metrics.ts";
import { DrainMetrics } from "./drain-metrics.ts";
import { EvacuationMetrics } from "./evacuation-metrics.ts";
import { expose } from "./exposition.ts";
import { FlowMetrics } from "./flow-metrics.ts";
import { GateMetrics } from "./gate-metrics.ts";
import { GuestMetrics } from "./guest-metrics.ts";
import { HookMetrics } from "./hook-metrics.ts";
import { Instruments } from "./instruments.ts";
import { JournalMetrics } from "./journal-metrics.ts";
import { MaintenanceMetrics } from "./maintenance-metrics.ts";
import { MigrationMetrics } from "./migration-metrics.ts";
import { NameMetrics } from "./name-metrics.ts";
import { NetworkMetrics } from "./network-metrics.ts";
import { PeerMetrics } from "./peer-metrics.ts";
import { ProbeMetrics } from "./probe-metrics.ts";
import { addProcessMetrics } from "./process-metrics.ts";

/**
 * All metrics of one daemon, in a registry of its own. Events add to them as they happen; what is a state is read from
 * memory when it is asked for. Counters begin at 0 with the daemon, as Prometheus expects.
 */
export class DaemonMetrics {
  readonly #instruments = new Instruments();
  readonly #host: string;
  readonly migrations: MigrationMetrics;
  readonly probes: ProbeMetrics;
  readonly flows: FlowMetrics;
  readonly guests: GuestMetrics;
  readonly drains: DrainMetrics;
  readonly journal: JournalMetrics;
  readonly network: NetworkMetrics;
  readonly peers: PeerMetrics;
  readonly api: ApiMetrics;
  readonly hooks: HookMetrics;
  readonly gates: GateMetrics;
  readonly names: NameMetrics;
  readonly evacuations: EvacuationMetrics;
  readonly certificates: CertificateMetrics;
  readonly maintenance: MaintenanceMetrics;
  /** True while a migration has stopped a guest and has still to do its part. */
  isGuestStanding: () => boolean = () => false;

  constructor(options: {
    host: string;
    role?: HostRole;
    version: string;
    peers: Iterable<string>;
  }) {
    const instruments = this.#instruments;
    this.#host = options.host;
    this.migrations = new MigrationMetrics(instruments, options.host, options.peers);
    this.probes = new ProbeMetrics(instruments);
    this.flows = new FlowMetrics(instruments);
    this.drains = new DrainMetrics(instruments);
    this.guests = new GuestMetrics(instruments);
    this.journal = new JournalMetrics(instruments);
    this.network = new NetworkMetrics(instruments);
    this.peers = new PeerMetrics(instruments);
    this.api = new ApiMetrics(instruments);
    this.hooks = new HookMetrics(instruments);
    this.gates = new GateMetrics(instruments);
    this.names = new NameMetrics(instruments);
    this.evacuations = new EvacuationMetrics(instruments);
    this.certificates = new CertificateMetrics(instruments);
    this.maintenance = new MaintenanceMetrics(instruments);
    addProcessMetrics(instruments, { role: "host", ...options });
  }

  /** Takes an event of any migration of this host. */
  note(migration: MigrationStatus, event: MigrationEvent): void {
    if (event.type === "gate") this.gates.note(event);
    else this.migrations.note(migration, event);
    if (event.type === "report" && event.from === this.#host) this.flows.note(event);
  }

  /** Takes a report into which a prober's results were put. */
  noteMeasured(report: MigrationReport): void {
    this.probes.note(report);
    this.flows.note(report);
  }

  /** What a scrape gets. */
  expose(): Promise<{ contentType: string; text: string }> {
    return expose(this.#instruments.registry, () => this.isGuestStanding());
  }
}
