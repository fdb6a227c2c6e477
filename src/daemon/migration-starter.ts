import { anchorError } from "../migrator/host-role.ts";
import { maintenanceError } from "../migrator/maintenance.ts";
import { newMigrationId } from "../migrator/migration-id.ts";
import { optionsOf } from "../migrator/migration-options.ts";
import type { Migrations } from "../migrator/migrations.ts";
import { attachmentOf, guestNetworkOf } from "../migrator/network.ts";
import type { GuestRecord } from "../migrator/records.ts";
import { redirectCommand } from "../migrator/redirect-command.ts";
import type { MigrationTask, SourceContext } from "../migrator/source-context.ts";
import { outgoingRecord, preparationOf } from "../migrator/source-preparation.ts";
import type { Idempotency } from "../migrator/stored-migration.ts";
import { lossless } from "../migrator/strategy.ts";
import { preconditionError, type SojournError } from "../platform/errors.ts";
import type { PlanLine } from "../platform/plan-line.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import { ourProtocol } from "../routing/desired.ts";
import type { Tunnels } from "../tunnels/tunnel.ts";
import type { DaemonConfig } from "./config.ts";
import { askHome, type HomePlan } from "./home-plan.ts";
import { checkHypervisorsMatch } from "./hypervisor-match.ts";
import { movableGuest } from "./movable-guest.ts";
import type { procedures } from "./peer-procedures.ts";
import { checkPostCopy } from "./post-copy-check.ts";
import { isStreamProtected, protocolVersion } from "./procedures.ts";
import {
  checkReleased,
  checkTracked,
  plannedRenumbering,
  releaseWarnings,
  renumberOf,
} from "./renumber-request.ts";
import type { MigrationPlan, MigrationRequest } from "./services.ts";
import type { StorageCheck } from "./storage/storage-check.ts";

/** Checks a request for a guest that runs here, and starts or plans its migration. */
export class MigrationStarter {
  readonly #config: DaemonConfig;
  readonly #context: SourceContext;
  readonly #migrations: Migrations;
  readonly #tunnels: Tunnels;
  readonly #peer: (host: string) => PeerCaller<typeof procedures>;
  readonly #storage: StorageCheck;
  readonly #reserved = new Set<string>();

  constructor(options: {
    config: DaemonConfig;
    context: SourceContext;
    migrations: Migrations;
    tunnels: Tunnels;
    peer: (host: string) => PeerCaller<typeof procedures>;
    storage: StorageCheck;
  }) {
    this.#config = options.config;
    this.#context = options.context;
    this.#migrations = options.migrations;
    this.#tunnels = options.tunnels;
    this.#peer = options.peer;
    this.#storage = options.storage;
  }

  /**
   * @throws SojournError with exit code 3 and nothing changed: unknown guest or host, a guest that is busy or
   * does not run here, a peer that does not answer, a tunnel kind that this kernel cannot do,
   * hypervisors between which the guest cannot go, storage that the peer does not have.
   */
  async start(request: MigrationRequest, idempotency: Idempotency | null = null): Promise<string> {
    const record = this.#check(request);
    this.#reserved.add(request.guest);
    try {
      const { task, warnings } = await this.#taskFor(request, record);
      if (warnings.length > 0)
        this.#context.logger.warn({ guest: record.guest, warnings }, "it is moved all the same");
      const resume = await this.#runs(request.guest);
      // Whoever does not wait hears at once of an address that the guest cannot have.
      if (task.renumber !== undefined) {
        const preparation = preparationOf(this.#context, task, { before: record, resume });
        await this.#peer(task.to).call("plan-incoming", preparation);
      }
      const budgetMs = request.max_outage_ms ?? null;
      return this.#migrations.start(task, record, resume, { budgetMs, idempotency });
    } finally {
      this.#reserved.delete(request.guest);
    }
  }

  /**
   * Prepares for a migration to `to` that others have begun with libvirt, which does all checks of its own. Returns its id
   * when the guest may be sent; that of the one before when nothing has come of it yet.
   * @throws SojournError as `start`, and what the preparation meets; all is as before then
   */
  async follow(guest: string, to: string): Promise<string> {
    const known = await this.#migrations.followedTo(guest, to);
    if (known !== null) return known;
    const record = this.#check({ guest, to });
    this.#reserved.add(guest);
    try {
      const { host, migration } = this.#config;
      await checkReleased({ guest, to }, record, this.#context);
      const peer = await this.#greet({ guest, to });
      const { kind } = await this.#tunnels.choose(migration.tunnel);
      const home = await askHome(host.name, this.#peer, { guest, to }, record, kind);
      const task = this.#newTask({ guest, to }, record, peer.underlay_address, kind, home?.epoch);
      const options = { ...task.options, postCopy: false };
      await this.#migrations.follow({ ...task, options, followed: true }, record);
      return task.id;
    } finally {
      this.#reserved.delete(guest);
    }
  }

  /** A migration takes the guest away from here, or is about to. */
  isLeaving(guest: string): boolean {
    return this.#reserved.has(guest) || this.#migrations.runningOf(guest) !== undefined;
  }

  /** What `start` would do on both hosts; changes nothing. */
  async plan(request: MigrationRequest): Promise<MigrationPlan> {
    const before = this.#check(request);
    const { task, home, warnings } = await this.#taskFor(request, before);
    const wanted = { before, resume: await this.#runs(request.guest) };
    const peer = this.#peer(request.to);
    const theirs = await peer.call("plan-incoming", preparationOf(this.#context, task, wanted));
    const { renumbered } = theirs;
    const facts = { ...wanted, renumbered: renumbered ?? null };
    const ours = await this.#context.network.plan(outgoingRecord(this.#context, task, facts));
    const gates = this.#context.gates.of(request.guest);
    return {
      type: "plan",
      guest: request.guest,
      from: this.#config.host.name,
      to: request.to,
      tunnel: task.tunnelKind,
      ...plannedRenumbering(this.#context.host, before, task.renumber, renumbered),
      hosts: [
        ...(home === null
          ? []
          : [{ host: home.host, when: "prepare" as const, lines: home.prepare }]),
        { host: request.to, when: "prepare", lines: theirs.lines },
        { host: this.#config.host.name, when: "prepare", lines: ours },
        {
          host: this.#config.host.name,
          when: "switchover",
          lines: [await this.#switchLine(task, before)],
        },
        ...(home === null
          ? []
          : [{ host: home.host, when: "resumed" as const, lines: home.repoint }]),
      ],
      ...(gates.length === 0 ? {} : { gates }),
      warnings: [...(await releaseWarnings(before, this.#context)), ...warnings],
    };
  }

  #check(request: MigrationRequest): GuestRecord {
    return movableGuest(this.#context, request, (record) => {
      const running = this.#migrations.runningOf(request.guest) ?? record?.migration?.id;
      if (running === undefined && !this.#reserved.has(request.guest)) return;
      throw this.#busy(request.guest, running);
    });
  }

  #busy(guest: string, id: string | undefined): SojournError {
    if (id === undefined || !this.#migrations.has(id)) {
      const hint = "sojourn status";
      return preconditionError("SOJ_GUEST_BUSY", `${guest} is being migrated already`, { hint });
    }
    const inDoubt = this.#migrations.get(id).state === "in-doubt";
    return preconditionError(
      "SOJ_GUEST_BUSY",
      inDoubt ? `${guest} is in doubt (${id})` : `${guest} is being migrated already (${id})`,
      { migration: id, hint: inDoubt ? `sojourn resolve ${id} --help` : `sojourn watch ${id}` },
    );
  }

  /** @throws SojournError of a destination that takes no guests. */
  async #greet({ guest, to }: Pick<MigrationRequest, "guest" | "to">) {
    const greeting = { protocol_version: protocolVersion, host: this.#config.host.name };
    const peer = await this.#peer(to).call("hello", greeting);
    const what = `${guest} cannot go to ${to}`;
    if (peer.role === "anchor") throw anchorError(to, what);
    if (peer.maintenance) throw maintenanceError(to, what);
    return peer;
  }

  async #taskFor(
    request: MigrationRequest,
    record: GuestRecord,
  ): Promise<{ task: MigrationTask; home: HomePlan | null; warnings: string[] }> {
    const { host, migration } = this.#config;
    // Before anybody else is asked.
    renumberOf(request, record, this.#config);
    await checkTracked(request, this.#context);
    await checkReleased(request, record, this.#context);
    const peer = await this.#greet(request);
    const [address = ""] = record.definition.nics[0]?.addresses[0]?.split("/") ?? [];
    const subnets = peer.guest_subnets.map((subnet) => ({ subnet, gateway: "", bridge: "" }));
    const ownsAddress = guestNetworkOf({ ...this.#context.host, guestNetworks: subnets }, address);
    if (ownsAddress !== undefined && record.home.host !== request.to) {
      throw preconditionError(
        "SOJ_GUEST_HOME",
        `${address} is in a guest network of ${request.to} too: two homes for one address`,
      );
    }
    const [warnings, { kind }, arrivesByPostCopy] = await Promise.all([
      this.#checkStorage(request.to, record),
      this.#tunnels.choose(request.tunnel ?? migration.tunnel),
      this.#checkHypervisors(request.to, record),
    ]);
    const home = await askHome(host.name, this.#peer, request, record, kind);
    const task = this.#newTask(request, record, peer.underlay_address, kind, home?.epoch);
    const checked = await checkPostCopy(this.#context, request, record, task, arrivesByPostCopy);
    return {
      task: { ...task, options: checked.options },
      home,
      warnings: [...warnings, ...checked.warnings],
    };
  }

  #newTask(
    request: MigrationRequest,
    record: GuestRecord,
    toUnderlayAddress: string,
    tunnelKind: MigrationTask["tunnelKind"],
    epochAtHome = 0,
  ): MigrationTask {
    const { migration } = this.#config;
    const { journal } = this.#context;
    const renumber = renumberOf(request, record, this.#config);
    return {
      id: newMigrationId(),
      guest: request.guest,
      epoch: 1 + Math.max(record.epoch, epochAtHome, journal.highestEpoch(request.guest)),
      to: request.to,
      toUnderlayAddress,
      tunnelKind,
      deadlineMs: (request.timeout_s ?? migration.timeoutS) * 1000,
      strategy: request.strategy ?? lossless,
      options: optionsOf([request, record.definition.migration], migration.options),
      ...(renumber === undefined ? {} : { renumber }),
    };
  }

  async #switchLine(task: MigrationTask, before: GuestRecord): Promise<PlanLine> {
    const tunnel = await this.#tunnels.describe({
      kind: task.tunnelKind,
      localAddress: this.#config.host.underlayAddress,
      remoteAddress: task.toUnderlayAddress,
    });
    const { address, bridge } = attachmentOf(this.#context.host, before);
    return {
      command: redirectCommand(address, tunnel).join(" "),
      undo: `ip route replace ${address}/32 dev ${bridge} proto ${ourProtocol}`,
    };
  }

  /** Whether guests may arrive there by post-copy, if the host says so. */
  async #checkHypervisors(to: string, record: GuestRecord): Promise<boolean | undefined> {
    const { hypervisor: kind } = record.definition;
    const theirs = await this.#peer(to).call("hypervisor", kind === undefined ? {} : { kind });
    const { version, accelerator } = await this.#context.guests.hypervisor.capabilities(kind);
    const streamTls = isStreamProtected(this.#config, kind);
    const source = { host: this.#config.host.name, version, accelerator, streamTls };
    const destination = { host: to, ...theirs, streamTls: theirs.stream_tls };
    this.#context.logger.info({ guest: record.guest, source, destination }, "hypervisors");
    checkHypervisorsMatch(record.definition, source, destination);
    return theirs.post_copy;
  }

  async #checkStorage(to: string, record: GuestRecord): Promise<string[]> {
    const instance = this.#context.guests.instance(record.guest);
    if (instance === undefined) return [];
    return await this.#storage(record.definition, await instance.openStorage(), to);
  }

  async #runs(guest: string): Promise<boolean> {
    const state = await this.#context.guests.instance(guest)?.runState();
    if (state === "running" || state === "paused") return state === "running";
    throw preconditionError("SOJ_GUEST_NOT_RUNNING", `${guest} is ${state ?? "gone"}`);
  }
}
