import type { GateEvent, NameEvent, PhaseEvent, ProgressEvent } from "../migrator/events.ts";
import type { PlannedGate } from "../migrator/gates.ts";
import type { MigrationOptionsWish } from "../migrator/migration-options.ts";
import type { MigrationFilter } from "../migrator/migration-query.ts";
import type { Phase } from "../migrator/phases.ts";
import type { MigrationReport } from "../migrator/report.ts";
import type { Resolution } from "../migrator/resolution.ts";
import type { Retirement } from "../migrator/retirement-schema.ts";
import type { Strategy } from "../migrator/strategy.ts";
import type { ErrorRecord } from "../platform/errors.ts";
import type { PlanLine } from "../platform/plan-line.ts";
import type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
import type { TunnelKind } from "../tunnels/tunnel.ts";
import type { AdoptionServices } from "./adoption/schemas.ts";
import type { BenchmarkServices } from "./benchmarks/schemas.ts";
import type { EvacuationServices } from "./evacuation/schemas.ts";
import type { HandoverServices } from "./handover/schemas.ts";
import type { WebhookServices } from "./hooks/webhook-services.ts";
import type { InventoryServices } from "./inventory/schemas.ts";
import type { LibvirtHookServices } from "./libvirt-hooks/schemas.ts";
import type { MaintenanceServices } from "./maintenance/schemas.ts";
import type { TraceParent } from "./tracing/trace-parent.ts";

export type { GateEvent, MigrationFilter, NameEvent, PhaseEvent, ProgressEvent };

export interface GuestSummary {
  name: string;
  /**
   * `away`: this host is its home, another one runs it. `invalid`: it stands still, and its definition is wrong.
   * `libvirt`: a domain of libvirt's that runs here and is no guest yet.
   */
  state: "running" | "paused" | "stopped" | "away" | "invalid" | "libvirt";
  /** Where it is; null when stopped. */
  host: string | null;
  /** Empty for one that does not run and whose home is another host. */
  home: string;
  addresses: string[];
  /** Its address of the host where it is, for flows that began there; null when it has none. */
  renumbered: string | null;
  /**
   * What becomes of its way through home: `kept`, `draining` until nothing needs it any more, or `retired`; null at home.
   */
  redirect: "kept" | "draining" | "retired" | null;
  memory_mib: number;
  vcpus: number;
  /** Id of the migration that this host carries out or waits for; null when there is none. */
  migration: string | null;
  /** Automation has stopped: only the other side, or an operator, can tell where it may run. */
  in_doubt: boolean;
  /** Since when it is where it is, milliseconds since 1970; null when stopped or not known. */
  since_ms: number | null;
  /** What is wrong with the definition of a guest that is invalid; null otherwise. */
  error: { code: string; message: string; hint: string | null } | null;
  /** Whether `guest adopt` could make a guest of it; absent for those that are guests. */
  adoptable?: boolean | undefined;
}

export interface MigrationRequest extends MigrationOptionsWish {
  guest: string;
  to: string;
  tunnel?: TunnelKind | "auto";
  /** Budget for the outage that probes measure; only judged, never enforced. */
  max_outage_ms?: number;
  timeout_s?: number;
  /** For benchmarks: all but `lossless`, the default, lose packets. */
  strategy?: Strategy;
  /** The guest gets this address of the destination's guest subnets, or `auto` any, for its new flows. */
  renumber?: string;
  /** Of a renumbered guest's redirect, in place of [drain]: flows idle for so long do not hold it. */
  drain_idle_s?: number;
  /** It goes after so long whoever uses it; 0: never. */
  drain_cap_s?: number;
  /** A renumbered guest may lose that address, and the sessions on it, by leaving the host that gave it. */
  release_renumbered?: boolean;
}

/** What an operator decides about a migration in doubt. */
export interface Decision {
  keep: "source" | "destination";
  confirm: boolean;
}

export type ResolutionResult = Resolution & {
  confirmed: boolean;
  /** Null at a destination, which keeps no history. */
  status: MigrationStatus | null;
};

/** How a migration is asked for, which does not change what is asked for. */
export interface StartConduct {
  /** The same request with the same key begins nothing a second time. */
  idempotencyKey?: string;
  /** Cancelled unless somebody follows it soon, with `abortOnDisconnect`. */
  abortUnlessFollowed?: boolean;
  /** The trace that it becomes a part of. */
  traceParent?: TraceParent;
}

export interface FollowOptions {
  /** Cancels the migration when `signal` fires before its end. */
  abortOnDisconnect?: boolean;
  /** Id of the last event that the reader has: it gets those after it. */
  afterId?: string;
}

/** Part of a list, newest first. */
export interface MigrationPage {
  migrations: MigrationStatus[];
  /** Where the next part begins; null after the last. */
  next: string | null;
}

/** What a migration would do, host by host, in order. */
export interface MigrationPlan {
  type: "plan";
  guest: string;
  from: string;
  to: string;
  tunnel: string;
  /** Absent when the guest keeps its address alone. `to` is likely, where any address was asked for. */
  renumber?: { from: string; to: string; idle_timeout_s: number; cap_s: number | null };
  /** `when`: before the guest is touched, the one change of the switchover, or once the guest runs at its destination. */
  hosts: { host: string; when: "prepare" | "switchover" | "resumed"; lines: PlanLine[] }[];
  /** Who is asked whether it may go on, and where; absent when nobody is. */
  gates?: PlannedGate[];
  warnings: string[];
}

export interface MigrationStatus {
  id: string;
  guest: string;
  from: string;
  to: string;
  state: Phase;
  /** Wall clock, milliseconds since 1970. */
  started_ms: number;
  ended_ms: number | null;
}

/** One migration, with why it did not complete. */
export interface MigrationDetail extends MigrationStatus {
  /** What its events ended with in place of a report; null while it is under way, and when there is a report. */
  error: ErrorRecord | null;
}

export type MigrationEvent = PhaseEvent | ProgressEvent | GateEvent | NameEvent | EndEvent;

/** What a migration's events end with. */
export type EndEvent = MigrationReport | ErrorRecord;

/** Events are missing before this place of a stream; what is known follows. */
export interface GapEvent {
  type: "gap";
  reason: "too-old" | "other-daemon";
  message: string;
  hint: string;
}

/** An event of one migration with its place in the stream; null for a gap. */
export interface FollowedEvent {
  id: string | null;
  event: MigrationEvent | GapEvent;
}

/** An event of any migration of a host. */
export interface HostEvent {
  wall_clock_ms: number;
  /** What the migration is since. */
  migration: MigrationStatus;
  event: MigrationEvent;
}

export interface FollowedHostEvent {
  id: string | null;
  event: HostEvent | GapEvent;
}

export type ProbeResults = MigrationReport["probes"];
export type FlowResults = MigrationReport["flows"];

/** One check of `doctor`. */
export interface DoctorCheck {
  /** Stable, for programs; the same for each subject. */
  id: string;
  /** Which of several it is about: a bridge, a peer, a guest; null where there is only one. */
  subject: string | null;
  /** The host that it is about; null where the configuration does not tell its name. */
  host: string | null;
  /** For people. */
  name: string;
  /** `skipped`: could not be checked; `detail` says why. */
  result: "ok" | "warn" | "fail" | "skipped";
  detail: string;
  /** Why it matters; null when it is in order. */
  why: string | null;
  /** What to do, in words; null when it is in order. */
  hint: string | null;
  /** What to do, as lines for a shell on `host`; null where no command can do it. */
  mend: string | null;
  /** Whether `--fix` runs `mend`. */
  fixable: boolean;
}

/**
 * What the local API serves. Unknown guests and ids are `SojournError`s with exit code 3 and HTTP status 404,
 * a guest that is busy one with status 409.
 */
export interface DaemonServices
  extends InventoryServices,
    BenchmarkServices,
    WebhookServices,
    AdoptionServices,
    HandoverServices,
    EvacuationServices,
    LibvirtHookServices,
    MaintenanceServices {
  listGuests(): Promise<GuestSummary[]>;
  showGuest(name: string): Promise<GuestSummary>;
  startGuest(name: string): Promise<GuestSummary>;
  stopGuest(name: string): Promise<GuestSummary>;
  /**
   * What the end of the guest's redirect means: whom it cuts off, and which address it frees; with `confirm` it is brought
   * about, and `state` tells whether it is done. Asked at the guest's home, or where the guest is.
   */
  retireGuest(name: string, decision: { confirm: boolean }): Promise<Retirement>;

  /** Checks everything that can be checked without changing anything, on both hosts. */
  planMigration(request: MigrationRequest): Promise<MigrationPlan>;
  /** Resolves when it is begun. Give an idempotency key to anything that may be repeated. */
  startMigration(request: MigrationRequest, conduct?: StartConduct): Promise<MigrationStatus>;
  /** At most `limit`, newest first, from the beginning or from `cursor`, the `next` of the page before. */
  listMigrations(filter: MigrationFilter, limit: number, cursor?: string): Promise<MigrationPage>;
  /** The migration that a request with this key began; none or one. */
  findMigrations(idempotencyKey: string): Promise<MigrationStatus[]>;
  getMigration(id: string): Promise<MigrationDetail>;
  /** Past events first, then live ones; the report or an error record is the last. Ends early when `signal` fires. */
  migrationEvents(
    id: string,
    signal: AbortSignal,
    options?: FollowOptions,
  ): AsyncIterable<FollowedEvent>;
  /** Events of all migrations from now on, or after the one named, until `signal` fires. */
  hostEvents(signal: AbortSignal, afterId?: string): AsyncIterable<FollowedHostEvent>;
  /** Of the newest event of this host. */
  lastEventId(): string;
  /** Possible until the promise; how it ended is told by its events. */
  cancelMigration(id: string): Promise<MigrationStatus>;
  /**
   * What an operator's decision about a migration in doubt rests on and would do; with `confirm` it is carried out, and
   * `status` tells what has become of the migration.
   */
  resolveMigration(id: string, decision: Decision): Promise<ResolutionResult>;
  getReport(id: string): Promise<MigrationReport>;
  /** Puts what the CLI's probers measured into the stored report and judges the budget. */
  addProbeResults(
    id: string,
    probes: ProbeResults,
    flows: FlowResults,
    throughput?: ThroughputTimeline | null,
  ): Promise<MigrationReport>;
  /** What a stream got around the move, as the CLI's prober saw it; null when none ran. */
  getThroughput(id: string): Promise<ThroughputTimeline | null>;

  /** The checks that only the running daemon can make. */
  doctor(): Promise<DoctorCheck[]>;
  /**
   * Whether tunnels to this peer carry full-size packets both ways: each kind is made for a moment, unless a migration
   * is under way. @throws SojournError `SOJ_HOST_UNKNOWN`, or what the peer or the network said.
   */
  examinePeer(peer: string): Promise<DoctorCheck[]>;
}
