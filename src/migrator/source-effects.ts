import { failureOf, lostAtDestination } from "./failures.ts";
import { alarmOfUnwritten } from "./journal-alarm.ts";
import type { JournalStep } from "./journal-record.ts";
import { changeRouteLate } from "./late-route.ts";
import type { Effect, MigrationEvent, MigrationState } from "./migration-state.ts";
import { attachmentOf } from "./network.ts";
import { armCopy } from "./source-arming.ts";
import {
  type MigrationFacts,
  type MigrationTask,
  releaseNetwork,
  type SourceContext,
} from "./source-context.ts";
import {
  retireSource,
  settleWithDestination,
  undoAtDestination,
  undoAtSource,
  verifyTraffic,
  yieldToDestination,
} from "./source-ending.ts";
import { askGates } from "./source-gates.ts";
import { awaitPostCopy, landedMeanwhile, refuseBroken } from "./source-post-copy.ts";
import { converge, startPrecopy } from "./source-precopy.ts";
import {
  announceSource,
  passBarrier,
  prepareDestination,
  prepareSource,
} from "./source-preparation.ts";
import { renewDestination } from "./source-renewal.ts";
import { askBeforeArming, convergeAgain } from "./source-rest.ts";
import { sealAtDestination, stopAtEndOfPass } from "./source-sealing.ts";
import {
  awaitPreSwitchover,
  changeRoute,
  continueMigration,
  frozenTimeLeftMs,
  stopGuest,
} from "./source-switchover.ts";
import { awaitTakeover, noteTakeover } from "./source-takeover.ts";
import type { StallGuard } from "./stall-guard.ts";
import { keepStopped, stopIfRunning } from "./stopped-copy.ts";
import { conductOf } from "./strategy.ts";
import { releaseHome, thirdHomeOf } from "./third-home.ts";

/** A standing guest waits this long for a record that only spares a restart a question. */
const longestRecordingMs = 200;

/** Carries out what `transition` decides for one migration at its source, effect by effect. */
export class SourceEffects {
  readonly #context: SourceContext;
  readonly #task: MigrationTask;
  readonly #facts: MigrationFacts;
  readonly #guard: StallGuard;

  constructor(
    context: SourceContext,
    task: MigrationTask,
    facts: MigrationFacts,
    guard: StallGuard,
  ) {
    this.#context = context;
    this.#task = task;
    this.#facts = facts;
    this.#guard = guard;
  }

  /** Carries out one effect. The last of a state returns the event that ends it. */
  async perform(
    effect: Effect,
    state: MigrationState,
    signal: AbortSignal,
  ): Promise<MigrationEvent | undefined> {
    const context = this.#context;
    const task = this.#task;
    const facts = this.#facts;
    const conduct = conductOf(task.strategy);
    switch (effect) {
      case "ask-at-planned":
        await askGates(context, task, facts, "planned", signal);
        return { type: "admitted" };
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
      case "ask-at-prepared":
        await askGates(context, task, facts, "prepared", signal);
        return;
      case "renew-destination":
        await renewDestination(context, task, facts, signal);
        return;
      case "start-precopy":
        await startPrecopy(context, task, facts);
        if (conduct.lateTunnel) await prepareSource(context, task, facts);
        return { type: "precopy-started" };
      case "await-convergence":
        await converge(context, task, facts, signal);
        return;
      case "ask-at-armed":
        await askBeforeArming(context, task, facts, signal);
        return;
      case "converge-again":
        if (facts.rest === "given-up") return { type: "stream-given-up" };
        if (facts.rest === "held") await convergeAgain(context, task, facts, signal);
        return { type: "converging" };
      case "arm-copy":
        this.#guard.forget();
        await armCopy(context, task, facts, signal);
        return;
      case "disarm-copy":
        await context.network.routing.disarm(attachmentOf(context.host, facts.before).address);
        releaseNetwork(facts);
        return;
      case "record-pausing":
        this.#record("pausing");
        return;
      case "stop-guest":
        await this.#guard.beforeStop();
        if (facts.instance.sealsStream) await stopAtEndOfPass(context, facts, signal);
        else await stopGuest(context, facts);
        return;
      case "await-pre-switchover":
        await awaitPreSwitchover(context, facts, signal);
        return { type: "pre-switchover", postCopy: facts.viaPostCopy };
      case "record-post-copy":
        await refuseBroken(facts.instance, task);
        await this.#recordWhileStanding("post-copy");
        return;
      case "record-promise":
        keepStopped(facts.instance, context.logger);
        await this.#promise();
        facts.timeline.mark("promise", context.host.name);
        return;
      case "change-route":
        await this.#guard.afterPromise();
        if (conduct.routeChange === "pre-switchover" && !facts.instance.sealsStream) {
          await changeRoute(context, facts);
        }
        return;
      case "continue-migration":
        await this.#guard.afterPromise();
        if (state.name === "switchover" && state.postCopy) await refuseBroken(facts.instance, task);
        if (facts.instance.sealsStream) await sealAtDestination(context, task, facts);
        else await continueMigration(context, facts);
        return;
      case "await-takeover":
        return this.#answer(await awaitTakeover(context, task, facts), state);
      case "await-post-copy":
        await landedMeanwhile(context, task, facts);
        return await awaitPostCopy(context, task, facts);
      case "settle-with-destination":
        releaseNetwork(facts);
        return await this.#settle(state);
      case "verify-traffic":
        await changeRouteLate(context, task, facts);
        releaseNetwork(facts);
        await verifyTraffic(context, task, facts);
        return;
      case "retire-source":
        await retireSource(context, task, facts);
        await facts.continued;
        return;
      case "yield-to-destination":
        await yieldToDestination(context, task, facts);
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
        await Promise.all([
          undoAtDestination(context, task),
          releaseHome(context, task, thirdHomeOf(context, task, facts)),
        ]);
        return;
      case "record-destination-aborted":
        await this.#recordSoon("aborted-by-destination");
        return;
      case "record-undone":
        this.#recordOrAlarm("undone");
        return { type: "rolled-back" };
      case "record-in-doubt":
        this.#recordOrAlarm("in-doubt");
        return { type: "retired" };
    }
  }

  /** Within the frozen deadline or not at all: until it is given, the guest is ours to run. */
  async #promise(): Promise<void> {
    await this.#guard.beforePromise();
    await this.#recordWhileStanding("promise");
  }

  async #recordWhileStanding(step: JournalStep): Promise<void> {
    const leftMs = frozenTimeLeftMs(this.#context, this.#facts);
    await this.#context.journal.appendWithin(this.#recordOf(step), leftMs);
  }

  async #settle(state: MigrationState): Promise<MigrationEvent> {
    const answer = await settleWithDestination(this.#context, this.#task, this.#facts);
    if (answer.state === "taken-over") noteTakeover(this.#task, this.#facts, answer);
    return this.#answer(answer.state, state);
  }

  #answer(destination: string, state: MigrationState): MigrationEvent {
    if (destination === "taken-over") {
      void stopIfRunning(this.#facts.instance, this.#context.logger);
      this.#recordOrAlarm("taken-over-by-destination");
      return { type: "destination-resumed" };
    }
    const failure =
      state.name === "settling"
        ? state.failure
        : failureOf(new Error("the destination aborted after the promise"), "await-takeover");
    return { type: "destination-aborted", failure };
  }

  /** After the promise, and on the way back, the guest comes first: the destination's word stands for the record. */
  #recordOrAlarm(step: JournalStep): void {
    try {
      this.#record(step);
    } catch (error) {
      alarmOfUnwritten(this.#context.logger, this.#recordOf(step), error);
    }
  }

  /** The same while the guest stands: a disk that does not answer keeps it no longer. */
  async #recordSoon(step: JournalStep): Promise<void> {
    try {
      await this.#context.journal.appendWithin(this.#recordOf(step), longestRecordingMs);
    } catch (error) {
      alarmOfUnwritten(this.#context.logger, this.#recordOf(step), error);
    }
  }

  #record(step: JournalStep): void {
    this.#context.journal.append(this.#recordOf(step));
  }

  #recordOf(step: JournalStep) {
    const { id, guest, epoch } = this.#task;
    return { step, migration: id, guest, epoch, role: "source" } as const;
  }
}
