import { SojournError } from "../platform/errors.ts";
import { failureOf } from "./failures.ts";
import { FollowedCopies } from "./followed-copies.ts";
import { hasStayed } from "./followed-staying.ts";
import { FollowedWatch } from "./followed-watch.ts";
import { alarmOfUnwritten } from "./journal-alarm.ts";
import type { JournalStep } from "./journal-record.ts";
import type { Failure, MigrationState } from "./migration-state.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { undoAtDestination, undoAtSource } from "./source-ending.ts";
import { SourceLease } from "./source-lease.ts";
import { SourceMigration } from "./source-migration.ts";
import { passBarrier, prepareDestination, prepareSource } from "./source-preparation.ts";

type Ended = Extract<MigrationState, { name: "ended" }>;

/**
 * A migration that others have begun with libvirt, at its source: the network is prepared, and follows the guest. libvirt
 * decides where the guest runs; nothing here stops it, lets it run, or ends a stream.
 */
export class FollowedMigration {
  readonly task: MigrationTask;
  readonly facts: MigrationFacts;
  readonly #context: SourceContext;
  /** An earlier daemon has prepared it. */
  readonly #isPrepared: boolean;
  readonly #prepared = Promise.withResolvers<void>();
  readonly #left = new AbortController();
  #watch: FollowedWatch | null = null;

  constructor(
    context: SourceContext,
    task: MigrationTask,
    facts: MigrationFacts,
    isPrepared: boolean,
  ) {
    this.#context = context;
    this.task = task;
    this.facts = facts;
    this.#isPrepared = isPrepared;
    this.#prepared.promise.catch(() => {});
  }

  /** Resolves when the guest may be sent. @throws SojournError why it cannot; all is as before then. */
  get prepared(): Promise<void> {
    return this.#prepared.promise;
  }

  /** Nothing has been sent yet. */
  get isAwaited(): boolean {
    return this.#watch?.isAwaited ?? true;
  }

  get holdsGuest(): boolean {
    return this.#watch?.isStopped ?? false;
  }

  /** Whoever began it ends it. */
  cancel(): boolean {
    return false;
  }

  /** The daemon ends: libvirt goes on, and the next daemon follows it. */
  leave(): void {
    this.#left.abort();
  }

  /** Follows the migration to its end; never throws. Does not resolve once it was left. */
  async run(): Promise<Ended> {
    using _lease = new SourceLease(this.#context, this.task, {
      phase: () => (this.#watch === null ? "preparing" : "prepared"),
      giveUp: (error) =>
        this.#context.logger.warn({ migration: this.task.id, err: error }, "no lease"),
    });
    try {
      await this.#prepare();
    } catch (error) {
      const ended = await this.#takeBack(failureOf(error, "prepare-destination"));
      this.#prepared.reject(error);
      return ended;
    }
    const copies = new FollowedCopies(this.#context, this.task, this.facts);
    const watch = new FollowedWatch(this.#context, this.task, this.facts, copies);
    this.#watch = watch;
    this.facts.flows?.begin();
    this.#prepared.resolve();
    if ((await watch.outcome(this.#left.signal)) === "stayed") {
      await copies.disarm();
      if (await this.#hasStayed()) return await this.#takeBack(stayed(this.task));
      await watch.redirect();
    }
    return await this.#goAfterIt(copies);
  }

  /** Never resolves once this was left. */
  async #hasStayed(): Promise<boolean> {
    const { signal } = this.#left;
    try {
      return await hasStayed(this.#context, this.task, this.facts.instance, signal);
    } catch (error) {
      if (signal.aborted) return await new Promise<never>(() => {});
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    const { logger } = this.#context;
    const { signal } = this.#left;
    if (this.#isPrepared) {
      // A daemon that has just started has no tunnels yet.
      using _held = await this.#context.network.hold();
      const record = this.#context.records.get(this.task.guest);
      if (record?.outgoing) {
        this.facts.tunnelInterface = this.#context.network.tunnelInterface(record.outgoing.tunnel);
      }
      return;
    }
    this.#mark("preparing");
    this.#context.journal.append(this.#recordOf("begin"));
    await prepareDestination(this.#context, this.task, this.facts, signal);
    await prepareSource(this.#context, this.task, this.facts);
    await passBarrier(this.#context, this.task, this.facts, signal);
    this.#mark("prepared");
    logger.info({ migration: this.task.id, to: this.task.to }, "others migrate the guest");
  }

  /** The guest stays at its source. */
  async #takeBack(failure: Failure): Promise<Ended> {
    const context = this.#context;
    this.#mark("rolling-back");
    let outcome: Ended["outcome"] = "rolled-back";
    try {
      await undoAtSource(context, this.task, this.facts);
    } catch {
      outcome = "guest-lost";
    }
    await undoAtDestination(context, this.task);
    this.#record("undone");
    this.#mark(outcome);
    return { name: "ended", outcome, failure };
  }

  /** The guest's process has ended here: from now on its destination alone knows where it runs. */
  async #goAfterIt(copies: FollowedCopies): Promise<Ended> {
    copies.freeze();
    this.#record("promise");
    const failure: Failure = {
      step: "settle-with-destination",
      code: "SOJ_GUEST_GONE",
      message: `${this.task.guest}'s process has ended, and ${this.task.to} does not run it`,
      hint: `look at its log at both hosts: /var/log/libvirt/qemu/${this.task.guest}.log`,
    };
    const rest = new SourceMigration(this.#context, this.task, this.facts, {
      name: "switchover",
      postCopy: false,
    });
    return await rest.run({ type: "failed", failure });
  }

  #mark(phase: Parameters<MigrationFacts["timeline"]["mark"]>[0]): void {
    this.facts.timeline.mark(phase, this.#context.host.name);
  }

  /** libvirt has done it already: what cannot be written is no reason not to follow. */
  #record(step: JournalStep): void {
    try {
      this.#context.journal.append(this.#recordOf(step));
    } catch (error) {
      alarmOfUnwritten(this.#context.logger, this.#recordOf(step), error);
    }
  }

  #recordOf(step: JournalStep) {
    const { id, guest, epoch } = this.task;
    return { step, migration: id, guest, epoch, role: "source" } as const;
  }
}

function stayed({ guest, to }: MigrationTask): Failure {
  const error = new SojournError(
    "SOJ_MIGRATION_FAILED",
    `libvirt has not sent ${guest} to ${to}, or has taken it back`,
    { hint: `virsh domjobinfo ${guest}; what began the migration knows why` },
  );
  return failureOf(error, "await-convergence");
}
