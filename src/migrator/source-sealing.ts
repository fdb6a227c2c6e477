import type { GuestEvent, GuestInstance } from "../hypervisor/hypervisor.ts";
import { monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import { within } from "../platform/waiting.ts";
import { refuseEnded, refuseStanding } from "./convergence.ts";
import { shortBlackoutMs } from "./convergence-policy.ts";
import { rejectionOf } from "./interruptible.ts";
import { StillBusy } from "./last-look.ts";
import { paced, precopyDowntimeLimitMs } from "./pacing.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import {
  changeRoute,
  frozenTimeLeftMs,
  leftPrecopy,
  notStoppedInTime,
  stampOf,
  switchoverLimitMs,
} from "./source-switchover.ts";
import { conductOf } from "./strategy.ts";

/** A rest that no further pass would make much smaller. */
const littleBytes = 2 * 1024 * 1024;

/** What is left of the first pass goes at full speed, and longer than this only where something is wrong. */
const longestPassMs = 30_000;

/** How long the destination may take to read that it may run the guest. */
const sealTimeoutMs = 2_000;

/**
 * Stops the guest whose stream goes to its end by itself: lets the stream go, and stops the guest as soon as the first
 * pass is over, unless the hypervisor does so itself. That stop is as good: nothing runs elsewhere before the promise, and
 * packets are copied already.
 * @throws StillBusy; SojournError `SOJ_FROZEN_DEADLINE`, `SOJ_STREAM_STALLED`.
 */
export async function stopAtEndOfPass(
  context: SourceContext,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  const { instance, timeline } = facts;
  const { frozenDeadlineMs, maxBandwidthBytesPerSecond } = context.policy;
  const ended = instance.waitForEvent("the stream's end", leftPrecopy, {
    timeoutMs: longestPassMs + frozenDeadlineMs,
  });
  ended.catch(() => {});
  facts.preSwitchover = ended;
  facts.stopIssuedMs = null;
  if (!facts.resume) {
    const atOnce = { maxBandwidthBytesPerSecond, downtimeLimitMs: switchoverLimitMs };
    return await instance.setOutgoingParameters(atOnce);
  }
  using moments = new Moments(facts);
  // A guest with little left is stopped by its hypervisor before anybody could tell it to.
  const parameters = { maxBandwidthBytesPerSecond, downtimeLimitMs: shortBlackoutMs };
  await instance.setOutgoingParameters(parameters);
  await refuseMissed(instance, moments);
  if (facts.pace.armBelowBytes > 0) {
    const next = Promise.race([moments.passOrStop, ended, rejectionOf(signal)]);
    const event = await within(longestPassMs, () => next, passTooLong);
    // What the stream's end means is for the next step; a guest that is not sent any more is not stopped.
    if (event !== undefined && leftPrecopy(event)) return;
    if (moments.stop === null) await refuseBusy(context, facts);
  } else if (moments.stop === null) await refuseOverBudget(context, facts);
  facts.stopIssuedMs = moments.stop?.receivedMs ?? monotonicMs();
  const inTime = <Result>(work: () => Promise<Result>) =>
    within(frozenTimeLeftMs(context, facts), work, () => notStoppedInTime(frozenDeadlineMs));
  // Nothing is dirtied any more: with a high limit no further pass is made.
  const downtimeLimitMs = switchoverLimitMs;
  await inTime(() =>
    Promise.all([instance.stop(), instance.setOutgoingParameters({ downtimeLimitMs })]),
  );
  facts.preSwitchover = inTime(() => ended);
  facts.preSwitchover.catch(() => {});
  const stop = await inTime(() => moments.stopped);
  facts.stoppedMs = timeline.mark("stop", context.host.name, stampOf(stop));
}

/** @throws as `refuseStanding` and `refuseEnded`, of what came before anybody listened. */
async function refuseMissed(instance: GuestInstance, moments: Moments): Promise<void> {
  try {
    await refuseStanding(instance);
    refuseEnded(await instance.migrationProgress());
  } catch (error) {
    if (moments.stop === null) throw error;
  }
}

/**
 * Tells the destination that the guest is its own, and changes the route meanwhile: packets are copied to both hosts until
 * that is done, so the guest needs not wait for it.
 */
export async function sealAtDestination(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<void> {
  const identity = { id: task.id, guest: task.guest, epoch: task.epoch };
  const sealed = context.peer(task.to).call("seal", identity, { timeoutMs: sealTimeoutMs });
  facts.timeline.mark("continue", context.host.name);
  const isNow = conductOf(task.strategy).routeChange === "pre-switchover";
  const changed = isNow ? changeRoute(context, facts) : Promise.resolve();
  await Promise.all([sealed, changed]).finally(() => facts.afterwards.release());
}

/**
 * At the end of the first pass.
 * @throws StillBusy when a further pass would make the blackout much shorter; that pass is under way then.
 */
async function refuseBusy(context: SourceContext, facts: MigrationFacts): Promise<void> {
  const { instance, course } = facts;
  const progress = await instance.migrationProgress();
  facts.predictedBlackoutMs = course.predictedMs(progress);
  const { remainingBytes } = progress;
  if (facts.predictedBlackoutMs <= shortBlackoutMs || remainingBytes <= littleBytes) return;
  const firstPassBytesPerSecond = course.linkBytesPerSecond;
  const maxBytesPerSecond = context.policy.maxBandwidthBytesPerSecond;
  const bandwidth = { firstPassBytesPerSecond, maxBytesPerSecond };
  facts.pace = paced(instance, bandwidth, facts.bandwidth);
  await sendOn(facts, remainingBytes);
}

/**
 * In a later pass: a stop cannot be taken back here, so that it is looked before.
 * @throws StillBusy when more is left than when arming was decided, and the guest would stand for too long.
 */
async function refuseOverBudget(context: SourceContext, facts: MigrationFacts): Promise<void> {
  const { instance, course } = facts;
  const progress = await instance.migrationProgress();
  course.lookAtQueue();
  const alsoBytes = course.dirtiedIn(course.sinceDecisionMs);
  if (course.predictedMs(progress, alsoBytes) <= course.budgetMs(context.policy)) return;
  course.noteReturn();
  await sendOn(facts, progress.remainingBytes);
}

async function sendOn(facts: MigrationFacts, remainingBytes: number): Promise<never> {
  const { instance, pace, bandwidth } = facts;
  bandwidth.forget();
  await instance.setOutgoingParameters({ downtimeLimitMs: precopyDowntimeLimitMs });
  await pace.nextPass(remainingBytes);
  throw new StillBusy();
}

function passTooLong(): SojournError {
  const message = `the stream's first pass does not end within ${longestPassMs / 1000} s`;
  return new SojournError("SOJ_STREAM_STALLED", message, { retryable: true });
}

/** The first end of a pass, or stop of the guest, from now on. */
class Moments implements Disposable {
  readonly passOrStop: Promise<void>;
  readonly stopped: Promise<GuestEvent>;
  stop: GuestEvent | null = null;
  readonly #unlisten: () => void;

  constructor({ instance }: Pick<MigrationFacts, "instance">) {
    const either = Promise.withResolvers<void>();
    const stopped = Promise.withResolvers<GuestEvent>();
    this.passOrStop = either.promise;
    this.stopped = stopped.promise;
    this.#unlisten = instance.onEvent((event) => {
      if (event.name === "STOP") {
        this.stop ??= event;
        stopped.resolve(event);
      }
      if (event.name === "STOP" || event.name === "MIGRATION_PASS") either.resolve();
    });
  }

  [Symbol.dispose](): void {
    this.#unlisten();
  }
}
