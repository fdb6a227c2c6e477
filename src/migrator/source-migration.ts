import { startInterval } from "../platform/clock.ts";
import { StoppedByHypervisor } from "./convergence.ts";
import { failureOf, guestGone, Interruption, lostAtDestination } from "./failures.ts";
import type { JournalStep } from "./journal-record.ts";
import { changeRouteLate } from "./late-route.ts";
import type { Effect, MigrationEvent, MigrationState } from "./migration-state.ts";
import type { Phase } from "./phases.ts";
import { armCopy } from "./source-arming.ts";
import {
  type MigrationFacts,
  type MigrationTask,
  releaseNetwork,
  type SourceContext,
} from "./source-context.ts";
import {
  GuestGone,
  retireSource,
  settleWithDestination,
  undoAtDestination,
  undoAtSource,
  verifyTraffic,
} from "./source-ending.ts";
import { converge, startPrecopy } from "./source-precopy.ts";
import {
  announceSource,
  passBarrier,
  prepareDestination,
  prepareSource,
} from "./source-preparation.ts";
import { renewDestination } from "./source-renewal.ts";
import {
  awaitPreSwitchover,
  changeRoute,
  continueMigration,
  stopGuest,
} from "./source-switchover.ts";
import { awaitTakeover, noteTakeover } from "./source-takeover.ts";
import { conductOf } from "./strategy.ts";
import { isEnded, isPromised, transition } from "./transition.ts";

/** Streams that QEMU ended by stopping the guest itself before we give up. */
const maximumAttempts = 4;

/** How often the destination hears from us before the promise; far below its lease. */
const leaseRenewalMs = 5_000;

/** Renewals in a row without an answer before the migration is given up. */
const toleratedSilences = 2;

/** Runs one migration at its source: `transition` decides, this carries out. */
export class SourceMigration {
  readonly task: MigrationTask;
  readonly facts: MigrationFacts;
  readonly #context: SourceContext;
  #state: MigrationState;
  readonly #interrupt = new AbortController();
  #unanswered = 0;

  constructor(
    context: SourceContext,
    task: MigrationTask,
    facts: MigrationFacts,
    state: MigrationState = { name: "planned" },
  ) {
    this.#context = context;
    this.task = task;
    this.facts = facts;
    this.#state = state;
  }

  get state(): MigrationState {
    return this.#state;
  }

  /** Asks for cancellation; false once the promise was given or nothing is left to cancel. */
  cancel(): boolean {
    if (!revocable(this.#state)) return false;
    this.#interrupt.abort(new Interruption({ type: "cancel-requested" }));
    return true;
  }

  /** Carries the migration from `event` to its end. Never throws: the end says what happened. */
  async run(event: MigrationEvent): Promise<Extract<MigrationState, { name: "ended" }>> {
    const { instance } = this.facts;
    void instance.ended.then(() =>
      this.#interrupt.abort(
        new Interruption({ type: "guest-gone", failure: guestGone(this.task.guest) }),
      ),
    );
    const lease = startInterval(() => void this.#renewLease(), leaseRenewalMs);
    try {
      let next = this.#enter(event);
      while (!isEnded(this.#state)) next = this.#enter(await this.#carryOut(next));
      if (next.length > 0) await this.#carryOut(next);
      return this.#state;
    } finally {
      lease.cancel();
      this.#releaseNetwork();
    }
  }

  #enter(event: MigrationEvent): readonly Effect[] {
    const before = this.#state;
    const { state, effects } = transition(before, event);
    this.#state = state;
    if (state.name !== before.name) this.#mark(state);
    const { id: migration, guest } = this.task;
    const { afterwards } = this.facts;
    afterwards.do(() =>
      this.#context.logger.info(
        { migration, guest, event: event.type, phase: state.name },
        "migration step",
      ),
    );
    if (state.name !== "switchover") afterwards.release();
    return effects;
  }

  #mark(state: MigrationState): void {
    const { timeline } = this.facts;
    const mark = (phase: Phase) => timeline.mark(phase, this.#context.host.name);
    switch (state.name) {
      case "settling":
        return;
      case "verifying":
        mark("resumed");
        mark("verifying");
        return;
      case "ended":
        mark(state.outcome);
        return;
      default:
        mark(state.name);
    }
  }

  /** Runs the effects in order; what the last one, or a failing one, leads to. */
  async #carryOut(effects: readonly Effect[]): Promise<MigrationEvent> {
    const interruptible = revocable(this.#state);
    let effect: Effect | null = null;
    try {
      let outcome: MigrationEvent | undefined;
      for (effect of effects) {
        if (interruptible) this.#interrupt.signal.throwIfAborted();
        outcome = (await this.#perform(effect)) ?? outcome;
      }
      if (outcome === undefined) throw new Error(`nothing follows ${effect}`);
      return outcome;
    } catch (error) {
      if (interruptible && this.#interrupt.signal.reason instanceof Interruption) {
        return this.#interrupt.signal.reason.event;
      }
      return this.#eventOf(error, effect ?? "start-precopy");
    }
  }

  #eventOf(error: unknown, effect: Effect): MigrationEvent {
    if (error instanceof GuestGone) {
      return { type: "guest-gone", failure: guestGone(this.task.guest) };
    }
    if (error instanceof StoppedByHypervisor && this.facts.attempts < maximumAttempts) {
      this.facts.attempts += 1;
      return { type: "stopped-by-hypervisor" };
    }
    const failure = failureOf(error, effect);
    this.#context.logger.warn({ migration: this.task.id, step: effect, err: error }, "step failed");
    if (effect === "settle-with-destination") return { type: "destination-unreachable", failure };
    return { type: "failed", failure };
  }

  /** Carries out one effect. The last of a state returns the event that ends it. */
  async #perform(effect: Effect): Promise<MigrationEvent | undefined> {
    const { task, facts } = this;
    const context = this.#context;
    const { signal } = this.#interrupt;
    const conduct = conductOf(task.strategy);
    switch (effect) {
      case "record-begin":
        this.#record("begin");
        return;
      case "prepare-destination":
        await prepareDestination(context, task, facts, signal);
        return;
      case "prepare-source":
        if (conduct.lateTunnel) await announceSource(context, task, facts, signal);
        else await prepareSource(context, task, facts);
        return;
      case "pass-barrier":
        if (!conduct.lateTunnel) await passBarrier(context, task, facts, signal);
        return { type: "prepared" };
      case "renew-destination":
        await renewDestination(context, task, facts, signal);
        return;
      case "start-precopy":
        await startPrecopy(context, task, facts);
        if (conduct.lateTunnel) await prepareSource(context, task, facts);
        return { type: "precopy-started" };
      case "await-convergence":
        await converge(context, task, facts, signal);
        return { type: "converging" };
      case "arm-copy":
        await armCopy(context, task, facts, signal);
        return;
      case "record-pausing":
        this.#record("pausing");
        return;
      case "stop-guest":
        await stopGuest(context, facts);
        return;
      case "await-pre-switchover":
        await awaitPreSwitchover(context, facts, signal);
        return { type: "pre-switchover" };
      case "record-promise":
        this.#record("promise");
        facts.timeline.mark("promise", context.host.name);
        return;
      case "change-route":
        if (conduct.routeChange === "pre-switchover") await changeRoute(context, facts);
        return;
      case "continue-migration":
        await continueMigration(context, facts);
        return;
      case "await-takeover":
        return this.#answer(await awaitTakeover(context, task, facts));
      case "settle-with-destination":
        this.#releaseNetwork();
        return await this.#settle();
      case "verify-traffic":
        await changeRouteLate(context, task, facts);
        this.#releaseNetwork();
        await verifyTraffic(context, task, facts);
        return;
      case "retire-source":
        await retireSource(context, task, facts);
        await facts.continued;
        return;
      case "record-completed":
        this.#recordOrAlarm("completed");
        return facts.lostAtDestination
          ? { type: "guest-gone", failure: lostAtDestination(task) }
          : { type: "retired" };
      case "undo-at-source":
        await undoAtSource(context, task, facts);
        return;
      case "undo-at-destination":
        await undoAtDestination(context, task);
        return;
      case "record-undone":
        this.#recordOrAlarm("undone");
        return { type: "rolled-back" };
      case "record-in-doubt":
        this.#recordOrAlarm("in-doubt");
        return { type: "retired" };
    }
  }

  async #settle(): Promise<MigrationEvent> {
    const answer = await settleWithDestination(this.#context, this.task, this.facts);
    if (answer.state === "taken-over") noteTakeover(this.task, this.facts, answer);
    return this.#answer(answer.state);
  }

  #answer(state: string): MigrationEvent {
    if (state === "taken-over") {
      this.#recordOrAlarm("taken-over-by-destination");
      return { type: "destination-resumed" };
    }
    const failure =
      this.#state.name === "settling"
        ? this.#state.failure
        : failureOf(new Error("the destination aborted after the promise"), "await-takeover");
    return { type: "destination-aborted", failure };
  }

  /** Keeps the destination's lease alive; a destination that is gone or has given up ends the migration. */
  async #renewLease(): Promise<void> {
    const { id, guest, epoch, to } = this.task;
    const prepared = this.facts.migrationPort !== null;
    if (!prepared || !revocable(this.#state)) return;
    try {
      const { state } = await this.#context
        .peer(to)
        .call("state", { id, guest, epoch, wait_ms: 0 }, { timeoutMs: leaseRenewalMs });
      this.#unanswered = 0;
      if (state !== "aborted") return;
      this.#giveUp(new Error(`${to} has given the migration up`));
    } catch (error) {
      this.#unanswered += 1;
      if (this.#unanswered >= toleratedSilences) this.#giveUp(error);
    }
  }

  #giveUp(error: unknown): void {
    this.#interrupt.abort(
      new Interruption({ type: "failed", failure: failureOf(error, "await-convergence") }),
    );
  }

  /** Two hosts that send each other guests at once must not wait for each other's networks. */
  #releaseNetwork(): void {
    releaseNetwork(this.facts);
  }

  /** After the promise, and on the way back, the guest comes first: the destination's word stands for the record. */
  #recordOrAlarm(step: JournalStep): void {
    try {
      this.#record(step);
    } catch (error) {
      const { id: migration, guest } = this.task;
      this.#context.logger.error(
        { migration, guest, step, err: error },
        "alarm: the journal's record could not be written",
      );
    }
  }

  #record(step: JournalStep): void {
    const { id, guest, epoch } = this.task;
    this.#context.journal.append({ step, migration: id, guest, epoch, role: "source" });
  }
}

/** True until the promise or the beginning of a roll-back: what comes in between may still be interrupted. */
function revocable(state: MigrationState): boolean {
  return !isEnded(state) && !isPromised(state) && state.name !== "rolling-back";
}
