import { wallClockMs } from "../platform/clock.ts";
import { waitAtMost } from "../platform/waiting.ts";
import type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
import { endOfAbandoned, recordEndOfAbandoned } from "./abandoned.ts";
import { endOfConcluded } from "./concluded.ts";
import { tooLate } from "./endings.ts";
import { EventLog } from "./event-log.ts";
import { FollowedMigration } from "./followed-migration.ts";
import type { History } from "./history.ts";
import { Inquiries } from "./inquiries.ts";
import { MigrationBook } from "./migration-book.ts";
import type { MigrationQuery } from "./migration-query.ts";
import type { Failure, MigrationState, MigrationEvent as StateEvent } from "./migration-state.ts";
import type { GuestRecord } from "./records.ts";
import type { MigrationReport } from "./report.ts";
import type { Keep } from "./resolution-verdict.ts";
import { answeredLate, resumeSource } from "./resumption.ts";
import { RunningMigrations } from "./running-migrations.ts";
import type { MigrationTask, SourceContext } from "./source-context.ts";
import { SourceMigration } from "./source-migration.ts";
import {
  type Idempotency,
  type MigrationObserver,
  type MigrationSummary,
  noteOf,
  type StartOptions,
  type StoredMigration,
  type StreamEvent,
} from "./stored-migration.ts";

/** How long one that others began, and that has failed, may take to be taken back before the next one. */
const takenBackMs = 10_000;

/** The migrations that leave this host: those under way, and what is remembered of earlier ones. */
export class Migrations {
  readonly #context: SourceContext;
  readonly #book: MigrationBook;
  readonly #running: RunningMigrations;
  readonly #inquiries: Inquiries;
  readonly #observe: MigrationObserver;

  constructor(context: SourceContext, history: History, observe: MigrationObserver = () => {}) {
    this.#context = context;
    this.#observe = observe;
    this.#book = new MigrationBook(history, context.logger);
    this.#inquiries = new Inquiries(context, (record) =>
      resumeSource(context, this, record, answeredLate),
    );
    const onEnded = (task: MigrationTask) => this.#inquiries.begin(task);
    this.#running = new RunningMigrations(context, { book: this.#book, observe, onEnded });
  }

  /**
   * Starts a checked task; the migration goes on whatever becomes of the caller.
   * @throws SojournError `SOJ_HISTORY_UNWRITABLE`; nothing is changed then.
   */
  start(task: MigrationTask, before: GuestRecord, resume: boolean, options: StartOptions): string {
    this.#book.begin({ ...this.#blank(task), idempotency: options.idempotency });
    const { budgetMs } = options;
    return this.#launch(task, before, resume, { name: "planned" }, { type: "started" }, budgetMs);
  }

  /**
   * Follows one that others have begun with libvirt. Resolves when the guest may be sent.
   * @throws SojournError what is in the way; nothing is changed then.
   */
  async follow(task: MigrationTask, before: GuestRecord): Promise<void> {
    this.#book.begin({ ...this.#blank(task), idempotency: null });
    await this.#launchFollowed(task, before, false).prepared;
  }

  /**
   * The one that is prepared for this destination, and of which others have made nothing yet; null when there is none. One
   * that is just being taken back is waited for.
   */
  async followedTo(guest: string, to: string): Promise<string | null> {
    const id = this.runningOf(guest) ?? "";
    const { migration, done } = this.#running.get(id) ?? {};
    if (!(migration instanceof FollowedMigration) || done === undefined) return null;
    if (migration.isAwaited && migration.task.to === to) {
      await migration.prepared;
      return id;
    }
    if (!migration.holdsGuest) await waitAtMost(takenBackMs, done);
    return null;
  }

  /** The same with one that an earlier daemon has prepared. */
  goOnFollowing(task: MigrationTask, before: GuestRecord): string {
    const earlier = this.#book.find(task.id);
    this.#book.reopen(earlier ?? this.#blank(task));
    this.#launchFollowed(task, before, true, earlier);
    return task.id;
  }

  /** Goes on with a migration that was left between two records (resumption.ts). */
  resume(
    task: MigrationTask,
    before: GuestRecord,
    resume: boolean,
    state: MigrationState,
    event: StateEvent,
  ): string {
    const earlier = this.#book.find(task.id);
    const known = earlier ?? this.#blank(task);
    this.#book.reopen(known);
    const budgetMs = earlier?.report?.budget_ms ?? null;
    return this.#launch(task, before, resume, state, event, budgetMs, earlier);
  }

  /**
   * Ends those that an earlier daemon had begun, but not prepared at this host, or ended without writing it down:
   * nothing is left to resume. Returns them as they have ended.
   */
  endAbandoned(failure: Failure): StoredMigration[] {
    const ours = ({ id, from }: StoredMigration) =>
      from === this.#context.host.name && !this.#running.has(id);
    const abandoned = this.#book.open().filter(ours);
    return abandoned.map((stored) => {
      const end = endOfAbandoned(this.#context, stored, failure);
      const ended = { ...stored, ...end, endedMs: wallClockMs() };
      recordEndOfAbandoned(this.#context, ended);
      this.#book.keep(ended);
      return ended;
    });
  }

  /**
   * Before the daemon ends: cancels what can be cancelled and waits up to `graceMs` for the rest. What is still
   * under way then is for recovery.
   */
  async windDown(graceMs: number): Promise<void> {
    this.#inquiries[Symbol.dispose]();
    await waitAtMost(graceMs, this.#running.cancelAll());
    this.#book.flush();
  }

  /** How many; how many of them leave this host, and whether a guest stands until we have done our part. */
  underWay(): { count: number; leaving: number; isGuestStanding: boolean } {
    const { leaving } = this.#running;
    const isGuestStanding = leaving.some(({ holdsGuest }) => holdsGuest);
    return { count: this.#running.size, leaving: leaving.length, isGuestStanding };
  }

  /** Those that are meant, newest first. */
  list(query: MigrationQuery): MigrationSummary[] {
    return this.#book.list(query);
  }

  /** The migration of this guest that is under way from here; undefined when there is none. */
  runningOf(guest: string): string | undefined {
    return this.#running.leaving.find(({ task }) => task.guest === guest)?.task.id;
  }

  has(id: string): boolean {
    return this.#book.find(id) !== undefined;
  }

  isRunning(id: string): boolean {
    return this.#running.has(id);
  }

  /** Resolves when this migration's destination is not asked again by itself, until `askAgain`. */
  async suspend(id: string): Promise<void> {
    await this.#inquiries.suspend(id);
  }

  /** Asks again about a migration that has ended without an end at this host; nothing for others. */
  askAgain(id: string): void {
    const record = this.#context.records.all().find(({ migration }) => migration?.id === id);
    if (!record?.migration || this.#running.has(id)) return;
    const { epoch, peer: to } = record.migration;
    this.#inquiries.begin({ id, guest: record.guest, epoch, to });
  }

  /**
   * Ends, and tells of it, one that an operator has decided about and of which nothing else is left here.
   * @param runState the hypervisor's word for what the guest does at the source; `unknown` when it cannot be asked.
   */
  conclude(id: string, keep: Keep, runState: string): void {
    const earlier = this.#book.find(id);
    if (earlier?.state !== "in-doubt") return;
    const { kept, told } = endOfConcluded(earlier, keep, runState, wallClockMs());
    const stored = { ...earlier, ...kept };
    this.#book.keep(stored);
    this.#observe(stored, told);
  }

  /** Resolves when the migration is not under way any more, or after `waitMs`. */
  async settled(id: string, waitMs: number): Promise<void> {
    const running = this.#running.get(id);
    if (running !== undefined) await waitAtMost(waitMs, running.done);
  }

  /** @throws SojournError `SOJ_MIGRATION_UNKNOWN` (404). */
  get(id: string): StoredMigration {
    return this.#book.get(id);
  }

  /** The migration that a request with this idempotency key began. */
  byKey(key: string): StoredMigration | undefined {
    return this.#book.byKey(key);
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
    throw tooLate(stored);
  }

  /** Stores a report with what was measured, or has happened, since. */
  putReport(
    id: string,
    report: MigrationReport,
    throughput: ThroughputTimeline | null = this.get(id).throughput ?? null,
  ): void {
    this.#book.keep({ ...this.get(id), report, throughput });
  }

  /** Those that another host carries out for us and that are open. */
  openMirrors(): StoredMigration[] {
    return this.#book.open().filter(({ from }) => from !== this.#context.host.name);
  }

  /** Keeps a migration that another host carries out for us; `feed` is called for each of its events. */
  mirror(
    summary: Pick<StoredMigration, "id" | "guest" | "from" | "to">,
    idempotency: Idempotency | null,
  ): (event: StreamEvent, ended: boolean) => void {
    const events = new EventLog<StreamEvent>();
    const { id } = summary;
    this.#running.set(id, { migration: null, events, done: Promise.resolve() });
    const known = this.#book.find(id) ?? {
      ...this.#blank(summary),
      ...{ from: summary.from, idempotency },
    };
    this.#book.reopen(known);
    this.#book.keep(this.get(id));
    return (event, ended) => {
      this.#book.note(id, noteOf(event));
      events.push(event);
      if (!ended) {
        this.#observe(this.get(id), event);
        return;
      }
      const stored = { ...this.get(id), endedMs: wallClockMs() };
      this.#book.keep(stored);
      events.end();
      this.#running.delete(id);
      this.#observe(stored, event);
    };
  }

  #blank({ id, guest, to }: Pick<StoredMigration, "id" | "guest" | "to">): StoredMigration {
    const from = this.#context.host.name;
    const startedMs = wallClockMs();
    const unknown = { endedMs: null, report: null, error: null };
    return { id, guest, from, to, state: "planned", startedMs, ...unknown };
  }

  #launch(
    task: MigrationTask,
    before: GuestRecord,
    resume: boolean,
    state: MigrationState,
    event: StateEvent,
    budgetMs: number | null,
    earlier?: StoredMigration,
  ): string {
    const { facts, events } = this.#running.factsOf(task, before, resume);
    const migration = new SourceMigration(this.#context, task, facts, state);
    this.#running.carryOut(migration, events, () => migration.run(event), budgetMs, earlier);
    return task.id;
  }

  #launchFollowed(
    task: MigrationTask,
    before: GuestRecord,
    isPrepared: boolean,
    earlier?: StoredMigration,
  ): FollowedMigration {
    // libvirt lets it run, or not; nobody else.
    const { facts, events } = this.#running.factsOf(task, before, false);
    const migration = new FollowedMigration(this.#context, task, facts, isPrepared);
    this.#running.carryOut(migration, events, () => migration.run(), null, earlier);
    return migration;
  }
}
