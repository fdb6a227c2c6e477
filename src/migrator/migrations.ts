import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { startTimer, wallClockMs } from "../platform/clock.ts";
import { type ErrorRecord, preconditionError } from "../platform/errors.ts";
import { diskStorage, type Storage } from "../platform/storage.ts";
import type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
import { Afterwards } from "./afterwards.ts";
import { endingError } from "./endings.ts";
import { EventLog } from "./event-log.ts";
import { type PhaseEvent, type ProgressEvent, progressEvent } from "./events.ts";
import { failureOf } from "./failures.ts";
import { initialFacts } from "./initial-facts.ts";
import type { Failure, MigrationState, MigrationEvent as StateEvent } from "./migration-state.ts";
import { type Phase, phases } from "./phases.ts";
import type { GuestRecord } from "./records.ts";
import type { MigrationReport, Outcome } from "./report.ts";
import { reportOf } from "./report-of.ts";
import type { MigrationTask, SourceContext } from "./source-context.ts";
import { SourceMigration } from "./source-migration.ts";
import { Timeline } from "./timeline.ts";

export type StreamEvent = PhaseEvent | ProgressEvent | MigrationReport | ErrorRecord;

export interface StoredMigration {
  id: string;
  guest: string;
  from: string;
  to: string;
  state: Phase;
  startedMs: number;
  endedMs: number | null;
  report: MigrationReport | null;
  error: ErrorRecord | null;
  /** What a stream got around the move; absent until a prober has told. */
  throughput?: ThroughputTimeline | null;
}

interface Running {
  /** Null for one that another host carries out for us. */
  migration: SourceMigration | null;
  events: EventLog<StreamEvent>;
  /** Resolves when it has ended and its end is stored. */
  done: Promise<void>;
}

/** The migrations that leave this host: those under way, and the stored ends of earlier ones. */
export class Migrations {
  readonly #context: SourceContext;
  readonly #folder: string;
  readonly #storage: Storage;
  readonly #running = new Map<string, Running>();
  readonly #stored = new Map<string, StoredMigration>();

  constructor(context: SourceContext, folder: string, storage: Storage = diskStorage) {
    this.#context = context;
    this.#folder = folder;
    this.#storage = storage;
    storage.makeFolder(folder);
    for (const file of storage.list(folder).filter((name) => name.endsWith(".json"))) {
      const stored: StoredMigration = JSON.parse(String(storage.read(join(folder, file))));
      this.#stored.set(stored.id, stored);
    }
  }

  /** Starts a checked task; the migration goes on whatever becomes of the caller. */
  start(
    task: MigrationTask,
    before: GuestRecord,
    resume: boolean,
    budgetMs: number | null,
  ): string {
    return this.#launch(task, before, resume, budgetMs, { name: "planned" }, { type: "started" });
  }

  /** Goes on with a migration that an earlier daemon left between two records (recovery.ts). */
  resume(
    task: MigrationTask,
    before: GuestRecord,
    resume: boolean,
    state: MigrationState,
    event: StateEvent,
  ): string {
    return this.#launch(task, before, resume, null, state, event);
  }

  /** Ends those that an earlier daemon had begun, but not prepared at this host: nothing is left to resume. */
  endAbandoned(failure: Failure): void {
    for (const stored of this.#stored.values()) {
      const ours = stored.from === this.#context.host.name;
      if (!ours || stored.endedMs !== null || this.#running.has(stored.id)) continue;
      const { state, reason } = this.#endOfAbandoned(stored, failure);
      const error = reason === null ? null : endingError(state, reason, stored).toRecord();
      this.#storeEnd({ ...stored, state, endedMs: wallClockMs(), error });
    }
  }

  /**
   * Before the daemon ends: cancels what can be cancelled and waits up to `graceMs` for the rest. What is still
   * under way then is for recovery.
   */
  async windDown(graceMs: number): Promise<void> {
    const running = [...this.#running.values()];
    for (const { migration } of running) migration?.cancel();
    const timer = Promise.withResolvers<void>();
    const timeout = startTimer(timer.resolve, graceMs);
    await Promise.race([Promise.allSettled(running.map(({ done }) => done)), timer.promise]);
    timeout.cancel();
  }

  /** How many leave this host just now, and whether one of their guests stands until we have done our part. */
  underWay(): { count: number; isGuestStanding: boolean } {
    const running = [...this.#running.values()];
    const isGuestStanding = running.some(({ migration }) => migration?.holdsGuest ?? false);
    return { count: running.length, isGuestStanding };
  }

  list(): StoredMigration[] {
    return [...this.#stored.values()].toSorted((left, right) => left.startedMs - right.startedMs);
  }

  /** The migration of this guest that is under way from here; undefined when there is none. */
  runningOf(guest: string): string | undefined {
    for (const [id, { migration }] of this.#running) if (migration?.task.guest === guest) return id;
    return undefined;
  }

  has(id: string): boolean {
    return this.#stored.has(id);
  }

  /** @throws SojournError `SOJ_MIGRATION_UNKNOWN` (404). */
  get(id: string): StoredMigration {
    const stored = this.#stored.get(id);
    if (stored !== undefined) return stored;
    throw preconditionError("SOJ_MIGRATION_UNKNOWN", `there is no migration ${id} on this host`, {
      httpStatus: 404,
      hint: "sojourn status",
    });
  }

  /** Past events, then live ones; the report or an error record is the last. */
  events(id: string): EventLog<StreamEvent> {
    const running = this.#running.get(id);
    if (running !== undefined) return running.events;
    const stored = this.get(id);
    const log = new EventLog<StreamEvent>();
    if (stored.error !== null) log.push(stored.error);
    else if (stored.report !== null) log.push(stored.report);
    log.end();
    return log;
  }

  /** @throws SojournError `SOJ_TOO_LATE` once the promise is given or the migration has ended. */
  cancel(id: string): StoredMigration {
    const stored = this.get(id);
    if (this.#running.get(id)?.migration?.cancel()) return stored;
    throw preconditionError(
      "SOJ_TOO_LATE",
      `migration ${id} can no longer be cancelled: ${stored.state}`,
      {
        hint: `sojourn watch ${id}`,
      },
    );
  }

  /** Stores a report with what probers measured. */
  putReport(
    id: string,
    report: MigrationReport,
    throughput: ThroughputTimeline | null = null,
  ): void {
    this.#store({ ...this.get(id), report, throughput });
  }

  /** Keeps a migration that another host carries out for us; `feed` is called for each of its events. */
  mirror(
    summary: Pick<StoredMigration, "id" | "guest" | "from" | "to">,
  ): (event: StreamEvent, ended: boolean) => void {
    const events = new EventLog<StreamEvent>();
    const { id } = summary;
    this.#running.set(id, { migration: null, events, done: Promise.resolve() });
    this.#store({
      ...summary,
      state: "planned",
      startedMs: wallClockMs(),
      endedMs: null,
      report: null,
      error: null,
    });
    return (event, ended) => {
      if (event.type === "report") this.#storeEnd({ ...this.get(id), report: event });
      if (event.type === "error") this.#storeEnd({ ...this.get(id), error: event });
      if (event.type === "phase" && isPhase(event.phase)) {
        this.#stored.set(id, { ...this.get(id), state: event.phase });
      }
      events.push(event);
      if (!ended) return;
      this.#storeEnd({ ...this.get(id), endedMs: wallClockMs() });
      events.end();
      this.#running.delete(id);
    };
  }

  #launch(
    task: MigrationTask,
    before: GuestRecord,
    resume: boolean,
    budgetMs: number | null,
    state: MigrationState,
    event: StateEvent,
  ): string {
    const instance = this.#context.guests.instance(task.guest);
    if (instance === undefined) throw new Error(`${task.guest} has no process here`);
    const events = new EventLog<StreamEvent>();
    const stored: StoredMigration = {
      id: task.id,
      guest: task.guest,
      from: this.#context.host.name,
      to: task.to,
      state: "planned",
      startedMs: wallClockMs(),
      endedMs: null,
      report: null,
      error: null,
    };
    const afterwards = new Afterwards();
    const timeline = new Timeline((entry, wallMs) =>
      afterwards.do(() => {
        events.push({ type: "phase", id: task.id, ...entry, wall_clock_ms: wallMs });
        if (isPhase(entry.phase)) {
          this.#stored.set(task.id, { ...this.get(task.id), state: entry.phase });
        }
      }),
    );
    const facts = initialFacts({
      instance,
      before,
      resume,
      timeline,
      afterwards,
      onProgress: (progress, predictedMs) =>
        events.push(progressEvent(task.id, progress, predictedMs)),
    });
    const migration = new SourceMigration(this.#context, task, facts, state);
    this.#store(stored);
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const done = begun.then(() => this.#follow(migration, events, budgetMs, event));
    this.#running.set(task.id, { migration, events, done });
    begin();
    return task.id;
  }

  async #follow(
    migration: SourceMigration,
    events: EventLog<StreamEvent>,
    budgetMs: number | null,
    event: StateEvent,
  ): Promise<void> {
    const { task, facts } = migration;
    const end = await migration.run(event);
    const report = reportOf(this.#context.host.name, task, facts, end.outcome, budgetMs);
    const error = end.failure === null ? null : endingError(end.outcome, end.failure, task);
    const failed = end.outcome === "completed" ? null : (error?.toRecord() ?? null);
    if (end.outcome === "completed" && error !== null) {
      this.#context.logger.error(
        { migration: task.id, err: error },
        "completed, but not cleaned up",
      );
    }
    this.#storeEnd({
      ...this.get(task.id),
      state: end.outcome,
      endedMs: wallClockMs(),
      report,
      error: failed,
    });
    events.push(failed ?? report);
    events.end();
    this.#running.delete(task.id);
  }

  #endOfAbandoned(
    { id, guest }: StoredMigration,
    failure: Failure,
  ): { state: Outcome; reason: Failure | null } {
    const { journal } = this.#context;
    if (journal.has(id, "taken-over-by-destination")) return { state: "completed", reason: null };
    try {
      journal.refuseHeld(guest);
      return { state: "rolled-back", reason: failure };
    } catch (error) {
      return { state: "in-doubt", reason: failureOf(error, "daemon") };
    }
  }

  #store(stored: StoredMigration): void {
    this.#storage.replace(join(this.#folder, `${stored.id}.json`), `${JSON.stringify(stored)}\n`);
    this.#stored.set(stored.id, stored);
  }

  /** What has happened is told, also where it cannot be written down. */
  #storeEnd(stored: StoredMigration): void {
    this.#stored.set(stored.id, stored);
    try {
      this.#store(stored);
    } catch (error) {
      this.#context.logger.error(
        { migration: stored.id, err: error },
        "alarm: the end of the migration could not be stored",
      );
    }
  }
}

function isPhase(text: string): text is Phase {
  return (phases as readonly string[]).includes(text);
}

/** A new migration's id: short, unguessable, allowed as a name. */
export function newMigrationId(): string {
  return `m${randomBytes(6).toString("hex")}`;
}
