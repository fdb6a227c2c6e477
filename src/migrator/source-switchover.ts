import type { GuestEvent, GuestInstance } from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import { awaitConvergence, refuseEnded, StoppedByHypervisor } from "./convergence.ts";
import { attachmentOf, redirectRoute } from "./network.ts";
import { firstPassBandwidth, paced, unpaced } from "./pacing.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";

/** Time for the source's tap to drain into the guest once packets are copied to the destination as well. */
const minimumArmedMs = 20;

/** How long the destination may take to confirm; the held-down stream lasts longer. */
const confirmationTimeoutMs = 800;

/** Downtime limit (ms) at which even a held-down rate counts as fast enough for the rest, so that QEMU switches over. */
const switchoverLimitMs = 10_000;

/** Below this the guest's own activity decides, so that QEMU never converges by itself while it runs. */
const precopyDowntimeLimitMs = 1;

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
  });
  if (heldUntilStopped) facts.pace = unpaced;
  else {
    const firstPassBytesPerSecond = startBandwidth(context, facts);
    await instance.setOutgoingParameters({ maxBandwidthBytesPerSecond: firstPassBytesPerSecond });
    facts.pace = paced(instance, { firstPassBytesPerSecond, maxBytesPerSecond });
  }
  await instance.migrateTo(task.toUnderlayAddress, facts.migrationPort, task.to);
}

/** Rounds of precopy until arming is due. */
export async function converge(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  const { policy } = context;
  await awaitConvergence(
    facts.instance,
    facts.pace,
    {
      downtimeLimitMs: policy.downtimeLimitMs,
      maxBandwidthBytesPerSecond: policy.maxBandwidthBytesPerSecond,
      minimumPasses: policy.minimumPasses,
      deadlineMs: task.deadlineMs,
      running: facts.resume,
    },
    facts.onProgress,
    signal,
  );
}

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
  facts.networkHold = await context.network.hold();
  await context.network.routing.arm(attachmentOf(context.host, facts.before).address);
  await Promise.all([delay(minimumArmedMs, signal), confirmDestination(context, task, signal)]);
  await facts.pace.stoppable(signal);
  if (facts.resume) refuseEnded(await facts.instance.migrationProgress());
}

async function confirmDestination(
  context: SourceContext,
  task: MigrationTask,
  signal: AbortSignal,
): Promise<void> {
  const question = { id: task.id, guest: task.guest, epoch: task.epoch, wait_ms: 0 };
  const { state } = await context
    .peer(task.to)
    .call("state", question, { signal, timeoutMs: confirmationTimeoutMs });
  if (state === "incoming") return;
  throw new SojournError("SOJ_DESTINATION_ABORTED", `${task.to} has given the migration up`, {
    retryable: true,
    hint: `see the daemon's log on ${task.to}`,
  });
}

/**
 * Stops the guest ourselves, with bandwidth and downtime limit raised in the same breath (DESIGN 2.5). The wait
 * for `pre-switchover`, bounded by the frozen deadline, begins before the stop.
 * @throws StoppedByHypervisor when QEMU was faster.
 */
export async function stopGuest(context: SourceContext, facts: MigrationFacts): Promise<void> {
  const { instance } = facts;
  const { frozenDeadlineMs } = context.policy;
  facts.preSwitchover = instance.waitForEvent("migration status pre-switchover", leftPrecopy, {
    timeoutMs: frozenDeadlineMs,
  });
  facts.preSwitchover.catch(() => {});
  if (!facts.resume) return await release(context, instance);
  const stopped = instance.waitForEvent("STOP", (event) => event.name === "STOP", {
    timeoutMs: frozenDeadlineMs,
  });
  stopped.catch(() => {});
  const [, , runState] = await within(frozenDeadlineMs, [
    release(context, instance),
    instance.stop(),
    instance.runState(),
  ]);
  if (!facts.pace.ownStop.includes(runState)) throw new StoppedByHypervisor();
  facts.stoppedMs = (await stopped).timestampMs;
  facts.timeline.mark("stop", context.host.name, facts.stoppedMs);
}

/** Lets the stream go at full speed to its end. */
function release(context: SourceContext, instance: GuestInstance): Promise<void> {
  const { downtimeLimitMs, maxBandwidthBytesPerSecond } = context.policy;
  return instance.setOutgoingParameters({
    maxBandwidthBytesPerSecond,
    downtimeLimitMs: Math.max(downtimeLimitMs, switchoverLimitMs),
  });
}

/** @throws SojournError `SOJ_FROZEN_DEADLINE`, `SOJ_MIGRATION_FAILED`. */
export async function awaitPreSwitchover(
  context: SourceContext,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  if (facts.preSwitchover === null) throw new Error("the guest was not stopped");
  if (!facts.resume && (await facts.instance.migrationProgress()).status === "pre-switchover")
    return;
  const event = await Promise.race([facts.preSwitchover, rejectionOf(signal)]).catch(
    (cause: unknown) => {
      if (signal.aborted) throw signal.reason;
      throw new SojournError(
        "SOJ_FROZEN_DEADLINE",
        `QEMU did not reach pre-switchover within ${context.policy.frozenDeadlineMs} ms of the stop`,
        { cause, retryable: true },
      );
    },
  );
  if (event.data.status !== "pre-switchover") {
    throw new SojournError("SOJ_MIGRATION_FAILED", `QEMU reports ${event.data.status}`, {
      retryable: true,
    });
  }
}

/** The one route change of the switchover, over the warm socket. */
export async function changeRoute(context: SourceContext, facts: MigrationFacts): Promise<void> {
  if (facts.tunnelInterface === null) throw new Error("no tunnel to switch to");
  const { address } = attachmentOf(context.host, facts.before);
  const record = context.records.get(facts.before.guest);
  if (!record?.outgoing) throw new Error("the move is not prepared");
  await context.network.routing.replaceRoute(redirectRoute(address, facts.tunnelInterface));
  context.records.putVolatile({ ...record, outgoing: { ...record.outgoing, switched: true } });
  facts.timeline.mark("route-change", context.host.name);
}

/**
 * Waits for the destination's word that it has taken the guest over.
 * @throws SojournError when our QEMU reports failure or the destination stays silent: then it must be settled.
 */
export async function awaitTakeover(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<"taken-over" | "aborted"> {
  const peer = context.peer(task.to);
  const giveUp = new AbortController();
  const unsubscribe = facts.instance.onEvent((event) => {
    if (event.name === "MIGRATION" && event.data.status === "failed") {
      giveUp.abort(
        new SojournError("SOJ_MIGRATION_FAILED", "QEMU's stream failed after the promise"),
      );
    }
  });
  const startedMs = monotonicMs();
  try {
    while (monotonicMs() - startedMs < context.policy.takeoverDeadlineMs) {
      const answer = await peer.call(
        "state",
        { id: task.id, guest: task.guest, epoch: task.epoch, wait_ms: 2_000 },
        { signal: giveUp.signal, timeoutMs: 5_000 },
      );
      if (answer.state === "taken-over") {
        noteTakeover(task, facts, answer);
        return "taken-over";
      }
      if (answer.state === "aborted") return "aborted";
    }
  } finally {
    unsubscribe();
  }
  throw new SojournError("SOJ_TAKEOVER_TIMEOUT", "the destination does not take the guest over");
}

/** Puts the destination's instants on the source's clock. */
export function noteTakeover(
  task: MigrationTask,
  facts: MigrationFacts,
  answer: { takeover_ms: number | null; resume_ms: number | null },
): void {
  if (answer.takeover_ms !== null) {
    facts.timeline.mark("takeover", task.to, answer.takeover_ms - facts.clockOffsetMs);
  }
  if (answer.resume_ms !== null) {
    facts.resumedMs = answer.resume_ms - facts.clockOffsetMs;
    facts.timeline.mark("resume", task.to, facts.resumedMs);
  }
}

/** Slower with every attempt that QEMU ended by stopping the guest itself. */
/** After a stream that QEMU ended by itself, paced by what that one carried: empty pages go by in no time. */
function startBandwidth(context: SourceContext, facts: MigrationFacts): number {
  const memoryBytes = facts.before.definition.memory_mib * 1024 * 1024;
  const bandwidth = firstPassBandwidth(memoryBytes, context.policy.maxBandwidthBytesPerSecond);
  if (facts.attempts === 0 || facts.carriedBytes === null) return bandwidth;
  const slower = facts.carriedBytes / (2 * 4 ** (facts.attempts - 1));
  return Math.round(Math.min(bandwidth, Math.max(slower, 64 * 1024)));
}

/** @throws SojournError `SOJ_FROZEN_DEADLINE` unless all are there in time. */
async function within<Parts extends readonly unknown[]>(
  deadlineMs: number,
  parts: readonly [...Parts],
): Promise<{ -readonly [Index in keyof Parts]: Awaited<Parts[Index]> }> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const message = `QEMU did not answer within ${deadlineMs} ms of being told to stop the guest`;
    late.reject(new SojournError("SOJ_FROZEN_DEADLINE", message, { retryable: true }));
  }, deadlineMs);
  const all = Promise.all(parts);
  all.catch(() => {});
  try {
    return await Promise.race([all, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function leftPrecopy(event: GuestEvent): boolean {
  const ends = ["pre-switchover", "failed", "cancelled"];
  return event.name === "MIGRATION" && ends.includes(String(event.data.status));
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
