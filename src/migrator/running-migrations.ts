import { Afterwards } from "./afterwards.ts";
import { EventLog } from "./event-log.ts";
import { progressEvent } from "./events.ts";
import { FollowedMigration } from "./followed-migration.ts";
import { initialFacts } from "./initial-facts.ts";
import type { MigrationBook } from "./migration-book.ts";
import { migrationEnd } from "./migration-end.ts";
import { isPhase } from "./phases.ts";
import type { GuestRecord } from "./records.ts";
import type { MigrationTask, SourceContext } from "./source-context.ts";
import { flowCarrier } from "./source-flows.ts";
import type { SourceMigration } from "./source-migration.ts";
import type { MigrationObserver, StoredMigration, StreamEvent } from "./stored-migration.ts";
import { Timeline } from "./timeline.ts";

export interface RunningMigration {
  /** Null for one that another host carries out for us. */
  migration: SourceMigration | FollowedMigration | null;
  events: EventLog<StreamEvent>;
  /** Resolves when it has ended and its end is stored. */
  done: Promise<void>;
}

/** The migrations that are under way, by their id. */
export class RunningMigrations extends Map<string, RunningMigration> {
  readonly #context: SourceContext;
  readonly #book: MigrationBook;
  readonly #observe: MigrationObserver;
  readonly #onEnded: (task: MigrationTask) => void;

  constructor(
    context: SourceContext,
    told: {
      book: MigrationBook;
      observe: MigrationObserver;
      /** One has ended, and its end is stored. */
      onEnded: (task: MigrationTask) => void;
    },
  ) {
    super();
    this.#context = context;
    this.#book = told.book;
    this.#observe = told.observe;
    this.#onEnded = told.onEnded;
  }

  /** Those that leave this host. */
  get leaving(): (SourceMigration | FollowedMigration)[] {
    return [...this.values()].flatMap(({ migration }) => migration ?? []);
  }

  /** Cancels what can be cancelled. Resolves when all have ended, but those that others began: they go on by themselves. */
  async cancelAll(): Promise<void> {
    const ending = [...this.values()].filter(
      ({ migration }) => !(migration instanceof FollowedMigration),
    );
    for (const migration of this.leaving) {
      if (migration instanceof FollowedMigration) migration.leave();
      else migration.cancel();
    }
    await Promise.allSettled(ending.map(({ done }) => done));
  }

  /** Facts of one that has not begun, and where its events go. */
  factsOf(task: MigrationTask, before: GuestRecord, resume: boolean) {
    const instance = this.#context.guests.instance(task.guest);
    if (instance === undefined) throw new Error(`${task.guest} has no process here`);
    const events = new EventLog<StreamEvent>();
    const tell = (told: StreamEvent) => {
      events.push(told);
      this.#observe(this.#book.get(task.id), told);
    };
    const afterwards = new Afterwards();
    const timeline = new Timeline((entry, wallMs) =>
      afterwards.do(() => {
        const { phase } = entry;
        if (isPhase(phase)) this.#book.note(task.id, { state: phase });
        tell({ type: "phase", id: task.id, ...entry, wall_clock_ms: wallMs });
      }),
    );
    const facts = initialFacts({
      instance,
      before,
      resume,
      timeline,
      afterwards,
      onProgress: (progress, predictedMs, forecast) => {
        const flows = facts.flows?.progress ?? null;
        tell(progressEvent(task.id, progress, predictedMs, { forecast, flows }));
      },
      onGate: tell,
    });
    facts.flows = flowCarrier(this.#context, task, facts);
    return { facts, events };
  }

  /** Sees it to its end, in the background. */
  carryOut(
    migration: SourceMigration | FollowedMigration,
    events: EventLog<StreamEvent>,
    run: () => ReturnType<SourceMigration["run"]>,
    budgetMs: number | null,
    earlier: StoredMigration | undefined,
  ): void {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const done = begun.then(() => this.#seeOut(migration, events, run, budgetMs, earlier));
    this.set(migration.task.id, { migration, events, done });
    begin();
  }

  async #seeOut(
    migration: SourceMigration | FollowedMigration,
    events: EventLog<StreamEvent>,
    run: () => ReturnType<SourceMigration["run"]>,
    budgetMs: number | null,
    earlier: StoredMigration | undefined,
  ): Promise<void> {
    const { task } = migration;
    const end = await run();
    migration.facts.flows?.stop();
    const { kept, told } = migrationEnd(this.#context, migration, end, budgetMs, earlier);
    const stored = { ...this.#book.get(task.id), ...kept };
    this.#book.keep(stored);
    events.push(told);
    events.end();
    this.delete(task.id);
    this.#observe(stored, told);
    this.#onEnded(task);
  }
}
