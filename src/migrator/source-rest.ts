import { startTimer } from "../platform/clock.ts";
import {
  endsFirstPass,
  isAllSent,
  refuseEnded,
  standstillMs,
  streamStalled,
} from "./convergence.ts";
import { rejectionOf } from "./interruptible.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { completeFlows, mustComplete } from "./source-flows.ts";
import { askGates, mustAsk } from "./source-gates.ts";
import { converge } from "./source-precopy.ts";
import { renewDestination } from "./source-renewal.ts";
import { Standstill } from "./standstill.ts";

/** What is done within this time changes nothing for the stream. */
const promptMs = 100;

/** Between two looks at a stream that rests. */
const lookMs = 100;

/**
 * Bandwidth of a stream that rests: a page in each of QEMU's windows. Left alone, QEMU would send what the guest dirties
 * again and again, or, where it dirties nothing, look for it all the time, which takes the guest's processor.
 */
const restingBytesPerSecond = 1024;

/** A QEMU that stops its guest when nothing is left to send has to have this much left. */
const leastBytes = 256 * 1024;

/**
 * Asks the gates that stand before arming, and completes what the destination knows of the guest's flows. The guest runs
 * meanwhile, and the stream rests; where QEMU would stop the guest before that is done, the stream is given up, and the
 * destination made ready for another one.
 * @throws as `askGates`; SojournErrors of a stream that has ended.
 */
export async function askBeforeArming(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  facts.rest = null;
  const asks = mustAsk(context, task, facts, "armed");
  if (!asks && !mustComplete(task, facts)) return;
  const over = new AbortController();
  const asking = AbortSignal.any([signal, over.signal]);
  const resting = rest(context, task, facts, asking, signal);
  const failed = resting.then(() => rejectionOf(signal));
  failed.catch(() => {});
  try {
    const work = async () => {
      await askGates(context, task, facts, "armed", asking);
      await completeFlows(task, facts, asking);
    };
    await Promise.race([work(), failed]);
  } finally {
    over.abort();
    // A stream that is just being given up is so before anything else happens to it.
    await resting.catch(() => {});
  }
  facts.rest = await resting;
  if (facts.rest === "given-up" && !asks) facts.flowsTookTheStream = true;
}

/** What the guest has dirtied while the gates were asked is sent, before it may be stopped. */
export async function convergeAgain(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  facts.rest = null;
  const { instance, pace } = facts;
  const progress = await instance.migrationProgress();
  if (endsFirstPass(pace, progress)) return await pace.hold(progress.remainingBytes);
  const { dirtySyncCount, remainingBytes } = progress;
  await facts.bandwidth.set(context.policy.maxBandwidthBytesPerSecond);
  await pace.nextPass(remainingBytes);
  await converge(context, task, facts, signal, dirtySyncCount);
}

/** Holds the stream until `over` fires, or gives it up. */
async function rest(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  over: AbortSignal,
  signal: AbortSignal,
): Promise<MigrationFacts["rest"]> {
  const { instance } = facts;
  using status = new StatusWatch(facts);
  await status.changed(promptMs, over);
  if (over.aborted) return null;
  await facts.bandwidth.set(restingBytesPerSecond);
  const standstill = new Standstill();
  while (!over.aborted) {
    const progress = await instance.migrationProgress();
    const isOver = isAllSent(progress) || (status.isStanding && instance.sealsStream === true);
    // A guest that its user has paused is all sent, and waits for the switchover.
    if (facts.resume || !isOver) {
      const runsDry = facts.pace.stopsByItself && progress.remainingBytes < leastBytes;
      if (isOver || (runsDry && progress.status === "active")) {
        await renewDestination(context, task, facts, signal);
        return "given-up";
      }
      refuseEnded(progress);
      if (standstill.note(progress.transferredBytes) > standstillMs) throw streamStalled(progress);
    }
    await status.changed(lookMs, over);
  }
  return "held";
}

/** Wakes whoever looks at a stream when its status changes: a guest that QEMU has stopped must not wait. */
class StatusWatch implements Disposable {
  isStanding = false;
  readonly #unsubscribe: () => void;
  #wake: () => void = () => {};
  #isNews = false;

  constructor({ instance }: Pick<MigrationFacts, "instance">) {
    this.#unsubscribe = instance.onEvent(({ name }) => {
      if (name === "STOP" || name === "RESUME") this.isStanding = name === "STOP";
      else if (name !== "MIGRATION") return;
      this.#isNews = true;
      this.#wake();
    });
  }

  /** Resolves at the next change, after `atMostMs`, or when `over` fires. */
  async changed(atMostMs: number, over: AbortSignal): Promise<void> {
    if (!this.#isNews && !over.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = startTimer(resolve, atMostMs);
      over.addEventListener("abort", this.#wake, { once: true });
      await promise;
      over.removeEventListener("abort", this.#wake);
      timer.cancel();
    }
    this.#isNews = false;
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }
}
