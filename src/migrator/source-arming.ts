import { delay } from "../platform/clock.ts";
import { refuseEnded, refuseStanding, StoppedByHypervisor } from "./convergence.ts";
import { longestBudgetMs } from "./convergence-policy.ts";
import { interruptible } from "./interruptible.ts";
import { attachmentOf } from "./network.ts";
import { rateWindowMs } from "./pacing.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { limitsOf } from "./source-precopy.ts";
import { DestinationAborted } from "./stall-guard.ts";
import { conductOf } from "./strategy.ts";

/** Time for the source's tap to drain into the guest once packets are copied to the destination as well. */
const minimumArmedMs = 20;

/** How long a busy QEMU may have left its tap alone. */
const longestReadDelayMs = 50;

/** How long the destination may take to confirm; the held-down stream lasts longer. */
const confirmationTimeoutMs = 800;

/** From the first copied packet to the stop: a process that starts copying, the drain, two rate windows. */
const longestArmedMs = 500 + minimumArmedMs + 2 * rateWindowMs;

/**
 * Copies the guest's inbound packets to the destination too, and returns when the guest can be stopped: the
 * source's tap has drained and QEMU is ready to send the rest at once. The network is ours until the guest has landed.
 * @throws SojournError when the destination does not answer or has given up: after the promise it would be too late.
 */
export async function armCopy(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const goesOn = AbortSignal.any([signal, over.signal]);
  if (facts.resume) await refuseStanding(facts.instance);
  const preparation = prepareToStop(context, task, facts, goesOn);
  try {
    await whileStreaming(facts, interruptible(preparation, signal));
  } catch (error) {
    // What is left to itself must not hold the network or arm any more: nobody would let go, or disarm.
    over.abort(error);
    throw error;
  }
  if (facts.resume) refuseEnded(await facts.instance.migrationProgress());
}

async function prepareToStop(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  const hold = await context.network.hold();
  if (signal.aborted) hold[Symbol.dispose]();
  signal.throwIfAborted();
  facts.networkHold = hold;
  await facts.bandwidth.lift(signal);
  await confirmDestination(context, task, facts, signal);
  signal.throwIfAborted();
  if (conductOf(task.strategy).copies) {
    await context.network.routing.arm(attachmentOf(context.host, facts.before).address);
  }
  await Promise.all([delay(minimumArmedMs, signal), drained(facts)]);
  await facts.pace.stoppable(signal);
}

/**
 * Waits for `work` unless QEMU stops the guest by itself meanwhile: then the guest is not to wait for it.
 * @throws StoppedByHypervisor
 */
async function whileStreaming(facts: MigrationFacts, work: Promise<void>): Promise<void> {
  if (!facts.resume) return await work;
  const stopped = Promise.withResolvers<never>();
  const unlisten = facts.instance.onEvent(({ name, data }) => {
    const isOver =
      name === "MIGRATION" && ["pre-switchover", "device"].includes(String(data.status));
    if (isOver || (name === "STOP" && facts.instance.sealsStream))
      stopped.reject(new StoppedByHypervisor());
  });
  try {
    await Promise.race([work, stopped.promise]);
  } finally {
    unlisten();
  }
}

/**
 * Returns when QEMU has read what was in the guest's tap at the call. Its main loop answers the monitor and reads the
 * tap in turn, at most 50 packets at a time (`tap_send` in net/tap.c), so each answered question after the
 * first stands for 50 packets.
 */
async function drained({ instance, inboundRate }: MigrationFacts): Promise<void> {
  const waiting = (inboundRate.packetsPerSecond / 1000) * longestReadDelayMs;
  const questions = 3 + Math.min(Math.ceil(waiting / 50), 40);
  for (let asked = 0; asked < questions; asked += 1) await instance.migrationProgress();
}

/** The destination is there, and its tap has room for what will wait in it. */
async function confirmDestination(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  const { frozenDeadlineMs } = context.policy;
  const longestMs = longestBudgetMs(limitsOf(context, task));
  const inbound = {
    packets_per_second: facts.inboundRate.packetsPerSecond,
    budget_ms: longestArmedMs + Math.max(longestMs, frozenDeadlineMs),
  };
  const question = {
    ...{ id: task.id, guest: task.guest, epoch: task.epoch, wait_ms: 0, inbound },
    ...(facts.viaPostCopy ? { post_copy: true } : {}),
  };
  const { state } = await context
    .peer(task.to)
    .call("state", question, { signal, timeoutMs: confirmationTimeoutMs });
  if (state === "incoming") return;
  throw new DestinationAborted(task.to);
}
