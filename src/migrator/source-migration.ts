import { StoppedByHypervisor } from "./convergence.ts";
import { failureOf, guestGone, Interruption } from "./failures.ts";
import { StillBusy } from "./last-look.ts";
import type { Effect, MigrationEvent, MigrationState } from "./migration-state.ts";
import type { Phase } from "./phases.ts";
import {
  type MigrationFacts,
  type MigrationTask,
  releaseNetwork,
  type SourceContext,
} from "./source-context.ts";
import { SourceEffects } from "./source-effects.ts";
import { GuestGone } from "./source-ending.ts";
import { type LeasePhase, SourceLease } from "./source-lease.ts";
import { DestinationAborted, StallGuard } from "./stall-guard.ts";
import { keepStoppedAfterRestart } from "./stopped-copy.ts";
import { isEnded, isPromised, transition } from "./transition.ts";

/** Streams that QEMU ended by stopping the guest itself before we give up. */
const maximumAttempts = 4;

/** Runs one migration at its source: `transition` decides, this carries out. */
export class SourceMigration {
  readonly task: MigrationTask;
  readonly facts: MigrationFacts;
  readonly #context: SourceContext;
  #state: MigrationState;
  #effect: Effect = "ask-at-planned";
  readonly #interrupt = new AbortController();

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

  /** The guest stands because of us, and may not run anywhere before we have done our part; or it is about to. */
  get holdsGuest(): boolean {
    const { name } = this.#state;
    return name === "switchover" || (name === "armed" && this.facts.networkHold !== null);
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
    using guard = new StallGuard(this.#context, this.task);
    const effects = new SourceEffects(this.#context, this.task, this.facts, guard);
    using _lease = new SourceLease(this.#context, this.task, {
      phase: () => this.#leasePhase(),
      giveUp: (error) => this.#giveUp(error),
    });
    if (isPromised(this.#state)) keepStoppedAfterRestart(instance, this.#context.logger);
    try {
      let next = this.#enter(event);
      while (!isEnded(this.#state)) next = this.#enter(await this.#carryOut(effects, next));
      if (next.length > 0) await this.#carryOut(effects, next);
      return this.#state;
    } finally {
      // Two hosts that send each other guests at once must not wait for each other's networks.
      releaseNetwork(this.facts);
    }
  }

  #enter(event: MigrationEvent): readonly Effect[] {
    const before = this.#state;
    const { state, effects } = transition(before, event);
    this.#state = state;
    if (state.name !== before.name) this.#mark(state, before.name);
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

  #mark(state: MigrationState, before: MigrationState["name"]): void {
    const { timeline } = this.facts;
    const mark = (phase: Phase) => timeline.mark(phase, this.#context.host.name);
    switch (state.name) {
      case "settling":
        return;
      case "post-copy":
        mark("resumed");
        return;
      case "verifying":
        if (before !== "post-copy") mark("resumed");
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
  async #carryOut(executor: SourceEffects, effects: readonly Effect[]): Promise<MigrationEvent> {
    const interruptible = revocable(this.#state);
    try {
      let outcome: MigrationEvent | undefined;
      for (const effect of effects) {
        this.#effect = effect;
        if (interruptible) this.#interrupt.signal.throwIfAborted();
        outcome = (await executor.perform(effect, this.#state, this.#interrupt.signal)) ?? outcome;
      }
      if (outcome === undefined) throw new Error(`nothing follows ${this.#effect}`);
      return outcome;
    } catch (error) {
      if (interruptible && this.#interrupt.signal.reason instanceof Interruption) {
        return this.#interrupt.signal.reason.event;
      }
      return this.#eventOf(error, this.#effect);
    }
  }

  #eventOf(error: unknown, effect: Effect): MigrationEvent {
    if (error instanceof GuestGone) {
      return { type: "guest-gone", failure: error.failure ?? guestGone(this.task.guest) };
    }
    if (error instanceof StoppedByHypervisor && this.facts.attempts < maximumAttempts) {
      this.facts.attempts += 1;
      return { type: "stopped-by-hypervisor" };
    }
    if (error instanceof StillBusy) return { type: "still-busy" };
    const failure = failureOf(error, effect);
    this.#context.logger.warn({ migration: this.task.id, step: effect, err: error }, "step failed");
    if (effect === "record-post-copy" || effect === "record-promise") {
      return { type: "not-promised", failure };
    }
    if (error instanceof DestinationAborted) return { type: "destination-aborted", failure };
    if (effect === "settle-with-destination") return { type: "destination-unreachable", failure };
    return { type: "failed", failure };
  }

  #leasePhase(): LeasePhase {
    if (!revocable(this.#state)) return "not-needed";
    return this.facts.migrationPort === null ? "preparing" : "prepared";
  }

  #giveUp(error: unknown): void {
    this.#interrupt.abort(
      new Interruption({ type: "failed", failure: failureOf(error, this.#effect) }),
    );
  }
}

/** True until the promise or the beginning of a roll-back: what comes in between may still be interrupted. */
function revocable(state: MigrationState): boolean {
  return !isEnded(state) && !isPromised(state) && state.name !== "rolling-back";
}
