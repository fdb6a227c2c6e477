import { delay } from "../platform/clock.ts";
import { refuseEnded, standstillMs, streamStalled } from "./convergence.ts";
import { rejectionOf } from "./interruptible.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { askGates, mustAsk } from "./source-gates.ts";
import { converge } from "./source-precopy.ts";
import { renewDestination } from "./source-renewal.ts";
import { Standstill } from "./standstill.ts";

/** Gates that answer within this time change nothing for the stream. */
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
 * Asks the gates that stand before arming. The guest runs meanwhile, and the stream rests; where QEMU would stop the
 * guest before they have answered, the stream is given up, and the destination made ready for another one.
 * @throws as `askGates`; StoppedByHypervisor and SojournErrors of a stream that has ended.
 */
export async function askBeforeArming(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  facts.rest = null;
  if (!mustAsk(context, task, facts, "armed")) return;
  const over = new AbortController();
  const asking = AbortSignal.any([signal, over.signal]);
  const resting = rest(context, task, facts, asking, signal);
  const failed = resting.then(() => rejectionOf(signal));
  failed.catch(() => {});
  try {
    await Promise.race([askGates(context, task, facts, "armed", asking), failed]);
  } finally {
    over.abort();
    // A stream that is just being given up is so before anything else happens to it.
    await resting.catch(() => {});
  }
  facts.rest = await resting;
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
  const { dirtySyncCount, remainingBytes } = await instance.migrationProgress();
  const { maxBandwidthBytesPerSecond } = context.policy;
  await instance.setOutgoingParameters({ maxBandwidthBytesPerSecond });
  await pace.nextPass(remainingBytes);
  await converge(context, task, facts, signal, dirtySyncCount);
}

/** Holds the stream until `over` fires. */
async function rest(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  over: AbortSignal,
  signal: AbortSignal,
): Promise<MigrationFacts["rest"]> {
  await pause(promptMs, over);
  if (over.aborted) return null;
  const { instance, pace } = facts;
  await instance.setOutgoingParameters({ maxBandwidthBytesPerSecond: restingBytesPerSecond });
  const standstill = new Standstill();
  while (!over.aborted) {
    const progress = await instance.migrationProgress();
    // A guest that its user has paused is all sent; it waits for the switchover.
    if (facts.resume || progress.status !== "pre-switchover") {
      refuseEnded(progress);
      if (pace.stopsByItself && progress.remainingBytes < leastBytes) {
        await renewDestination(context, task, facts, signal);
        return "given-up";
      }
      if (standstill.note(progress.transferredBytes) > standstillMs) throw streamStalled(progress);
    }
    await pause(lookMs, over);
  }
  return "held";
}

async function pause(ms: number, over: AbortSignal): Promise<void> {
  await delay(ms, over).catch(() => {});
}
