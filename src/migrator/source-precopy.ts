import { monotonicMs } from "../platform/clock.ts";
import { awaitConvergence } from "./convergence.ts";
import { type PolicyLimits, throttleOf } from "./convergence-policy.ts";
import { attachmentOf } from "./network.ts";
import {
  firstPassBandwidth,
  paced,
  pacedToEnd,
  precopyDowntimeLimitMs,
  unpaced,
} from "./pacing.ts";
import { PrecopyCourse } from "./precopy-course.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { shareLink } from "./source-share.ts";
import { StreamBandwidth } from "./stream-bandwidth.ts";

export async function startPrecopy(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<void> {
  if (facts.migrationPort === null) throw new Error("the destination does not listen yet");
  const { instance } = facts;
  const { maxBandwidthBytesPerSecond: maxBytesPerSecond } = context.policy;
  const { heldUntilStopped } = await instance.prepareOutgoing({
    downtimeLimitMs: precopyDowntimeLimitMs,
    maxBandwidthBytesPerSecond: maxBytesPerSecond,
    features: facts.streamFeatures,
    throttle: throttleOf(task.options),
  });
  facts.bandwidth = new StreamBandwidth(instance, maxBytesPerSecond);
  if (heldUntilStopped) facts.pace = unpaced;
  else {
    const firstPassBytesPerSecond = startBandwidth(context, facts);
    await facts.bandwidth.set(firstPassBytesPerSecond);
    const bandwidth = { firstPassBytesPerSecond, maxBytesPerSecond };
    facts.pace = instance.sealsStream
      ? pacedToEnd(instance, bandwidth, facts.attempts, facts.bandwidth)
      : paced(instance, bandwidth, facts.bandwidth);
  }
  await readInboundRate(context, facts);
  const { migrationPort, streamAnswer, streamAddress } = facts;
  const address = streamAddress ?? task.toUnderlayAddress;
  facts.course = new PrecopyCourse({
    capacityBytesPerSecond: context.policy.linkBytesPerSecond,
    limitBytesPerSecond: maxBytesPerSecond,
    heldToBytesPerSecond: () => facts.bandwidth.bytesPerSecond,
    unsentBytes: () => context.unsentBytes(address, migrationPort),
  });
  await instance.migrateTo(address, migrationPort, task.to, streamAnswer);
  facts.streamStartedMs = monotonicMs();
  facts.flows?.begin();
}

/**
 * Rounds of precopy until arming is due, judged by passes after `afterPass`. Where it does not converge and may go by
 * post-copy, `facts.viaPostCopy` is set.
 */
export async function converge(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
  afterPass = 1,
): Promise<void> {
  const { course } = facts;
  using _share = await shareLink(context, task, facts);
  const end = await awaitConvergence(
    facts.instance,
    facts.pace,
    {
      ...limitsOf(context, task),
      deadlineMs: task.deadlineMs,
      spentMs: spentMs(facts),
      afterPass: Math.max(afterPass, course.decidedPass),
      running: facts.resume,
      course,
    },
    (progress, predictedMs, forecast) => {
      const { throttlePercent } = progress;
      if (throttlePercent !== null)
        facts.throttledPercent = Math.max(facts.throttledPercent ?? 0, throttlePercent);
      facts.predictedBlackoutMs = predictedMs;
      facts.onProgress(progress, predictedMs, forecast);
      void readInboundRate(context, facts);
    },
    signal,
  );
  facts.viaPostCopy = end === "post-copy";
}

/** What the migration's policy allows on this host. */
export function limitsOf(
  { policy }: Pick<SourceContext, "policy">,
  { options }: Pick<MigrationTask, "options">,
): PolicyLimits {
  const { downtimeLimitMs, finishLimitMs, minimumPasses } = policy;
  return { ...options, downtimeLimitMs, finishLimitMs, minimumPasses };
}

/**
 * Of the migration's time: since the stream began, so that a stop that was taken back gives it no more; where gates were
 * waited for, since the migration began.
 */
function spentMs({
  passedGates,
  timeline,
  streamStartedMs,
}: Pick<MigrationFacts, "passedGates" | "timeline" | "streamStartedMs">): number {
  if (passedGates.size > 0) return timeline.elapsedMs();
  return streamStartedMs === null ? 0 : monotonicMs() - streamStartedMs;
}

/** Where gates were waited for, the migration's time limit counts from its start. */
export function timeLeftMs(
  task: Pick<MigrationTask, "deadlineMs">,
  { timeline }: Pick<MigrationFacts, "timeline">,
): number {
  return Math.max(0, task.deadlineMs - timeline.elapsedMs());
}

/** Only to size a queue: a reading that fails is left out. */
async function readInboundRate(context: SourceContext, facts: MigrationFacts): Promise<void> {
  const { tap } = attachmentOf(context.host, facts.before);
  const counters = await context.network.routing.linkCounters(tap).catch(() => null);
  if (counters !== null) facts.inboundRate.read(counters.txPackets);
}

/** After a stream that QEMU ended by itself, paced by what that one carried: empty pages go by in no time. */
function startBandwidth(context: SourceContext, facts: MigrationFacts): number {
  const memoryBytes = facts.before.definition.memory_mib * 1024 * 1024;
  const bandwidth = firstPassBandwidth(memoryBytes, context.policy.maxBandwidthBytesPerSecond);
  if (facts.attempts === 0 || facts.carriedBytes === null) return bandwidth;
  const slower = facts.carriedBytes / (2 * 4 ** (facts.attempts - 1));
  return Math.round(Math.min(bandwidth, Math.max(slower, 64 * 1024)));
}
