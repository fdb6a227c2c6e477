import type { GuestEvent } from "../hypervisor/hypervisor.ts";
import { monotonicMs, wallClockMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import { within } from "../platform/waiting.ts";
import { StoppedByHypervisor } from "./convergence.ts";
import { rejectionOf } from "./interruptible.ts";
import { lookOnceMore } from "./last-look.ts";
import { attachmentOf, redirectRoute } from "./network.ts";
import type { MigrationFacts, SourceContext } from "./source-context.ts";

/** Downtime limit (ms) at which even a held-down rate counts as fast enough for the rest, so that QEMU switches over. */
export const switchoverLimitMs = 10_000;

/** QEMU goes on at once when it is told to. */
const continueTimeoutMs = 2_000;

/**
 * Stops the guest ourselves, with the bandwidth raised in the same breath, and the downtime limit as soon as it is known
 * that it does not stand for too long. The wait for `pre-switchover`, bounded by the frozen deadline, begins before the stop.
 * @throws StoppedByHypervisor when QEMU was faster; StillBusy when it runs on.
 */
export async function stopGuest(context: SourceContext, facts: MigrationFacts): Promise<void> {
  const { instance } = facts;
  const { frozenDeadlineMs, maxBandwidthBytesPerSecond } = context.policy;
  facts.preSwitchover = instance.waitForEvent("migration status pre-switchover", leftPrecopy, {
    timeoutMs: frozenDeadlineMs,
  });
  facts.preSwitchover.catch(() => {});
  facts.stopIssuedMs = null;
  if (!facts.resume) return await release(context, facts);
  facts.bandwidth.forget();
  facts.course.lookAtQueue();
  facts.stopIssuedMs = monotonicMs();
  const stops: GuestEvent[] = [];
  const unlisten = instance.onEvent((event) => {
    if (event.name === "STOP") stops.push(event);
  });
  const [, , runState, left] = await within(
    frozenDeadlineMs,
    () =>
      Promise.all([
        instance.setOutgoingParameters({ maxBandwidthBytesPerSecond }),
        instance.stop(),
        instance.runState(),
        instance.migrationProgress(),
      ]),
    () => notStoppedInTime(frozenDeadlineMs),
  ).finally(unlisten);
  if (!facts.pace.ownStop.includes(runState)) throw new StoppedByHypervisor();
  // QEMU tells of a stop before it answers; of one that changed nothing it does not tell.
  const [stop] = stops;
  if (stop === undefined) {
    facts.resume = false;
    throw pausedByUser(instance.guest);
  }
  await within(
    frozenTimeLeftMs(context, facts),
    async () => {
      // What is left follows the guest; the low downtime limit keeps QEMU from sending it before.
      if (facts.viaPostCopy) return await instance.startPostCopy?.();
      await lookOnceMore(context, facts, left);
      await release(context, facts);
    },
    () => notStoppedInTime(frozenDeadlineMs),
  );
  facts.stoppedMs = facts.timeline.mark("stop", context.host.name, stampOf(stop));
}

/** A guest that is paused by its user during a migration is left so; the migration is taken back. */
export function pausedByUser(guest: string): SojournError {
  return new SojournError("SOJ_GUEST_PAUSED", `${guest} was paused by its user meanwhile`, {
    retryable: true,
    hint: "it stays paused at the source; a guest that is paused can be moved too",
  });
}

/** Lets the stream go at full speed to its end. */
function release(
  context: SourceContext,
  { instance, bandwidth }: Pick<MigrationFacts, "instance" | "bandwidth">,
): Promise<void> {
  bandwidth.forget();
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
  if (event.data.status === "pre-switchover") {
    facts.afterwards.hold();
    facts.timeline.mark("pre-switchover", context.host.name, stampOf(event));
  } else {
    throw new SojournError("SOJ_MIGRATION_FAILED", `QEMU reports ${event.data.status}`, {
      retryable: true,
    });
  }
}

/**
 * What is left of the frozen deadline (ms), which counts from the moment QEMU was told to stop the guest.
 * @throws SojournError `SOJ_FROZEN_DEADLINE` when nothing is.
 */
export function frozenTimeLeftMs(
  { policy }: Pick<SourceContext, "policy">,
  { stopIssuedMs }: Pick<MigrationFacts, "stopIssuedMs">,
): number {
  if (stopIssuedMs === null) return policy.frozenDeadlineMs;
  const leftMs = stopIssuedMs + policy.frozenDeadlineMs - monotonicMs();
  if (leftMs > 0) return leftMs;
  throw new SojournError(
    "SOJ_FROZEN_DEADLINE",
    `the guest stands for longer than ${policy.frozenDeadlineMs} ms, and the promise is not given`,
    { retryable: true },
  );
}

/** The one route change of the switchover, over the warm socket. */
export async function changeRoute(context: SourceContext, facts: MigrationFacts): Promise<void> {
  if (facts.tunnelInterface === null) throw new Error("no tunnel to switch to");
  const { address } = attachmentOf(context.host, facts.before);
  if (!context.records.get(facts.before.guest)?.outgoing) {
    throw new Error("the move is not prepared");
  }
  await context.network.routing.replaceRoute(redirectRoute(address, facts.tunnelInterface));
  noteRouteChange(context, facts);
}

/** Puts the change that was just made into the record and the timeline. */
export function noteRouteChange(context: SourceContext, facts: MigrationFacts): void {
  const record = context.records.get(facts.before.guest);
  if (record?.outgoing) {
    context.records.putVolatile({ ...record, outgoing: { ...record.outgoing, switched: true } });
  }
  facts.timeline.mark("route-change", context.host.name);
}

/** Lets QEMU send the rest. When it went on is learnt afterwards, from its own events. */
export async function continueMigration(
  context: SourceContext,
  facts: MigrationFacts,
): Promise<void> {
  const { instance, timeline } = facts;
  const { takeoverDeadlineMs } = context.policy;
  const wentOn = instance.waitForEvent("migration status device", leftSwitchover, {
    timeoutMs: continueTimeoutMs,
  });
  facts.handedOver = instance
    .waitForEvent("end of the migration", isOver, { timeoutMs: takeoverDeadlineMs })
    .catch(() => undefined);
  const answered = instance.continueMigration().then(wallClockMs);
  facts.continued = Promise.all([answered, wentOn.then(stampOf).catch(() => undefined)])
    .then(([answeredMs, wentOnMs]) => {
      timeline.mark("continue", context.host.name, wentOnMs ?? answeredMs);
    })
    .catch(() => undefined);
  facts.afterwards.release();
  await answered;
}

/** QEMU, or libvirt, is silent after it was told to stop the guest. */
export function notStoppedInTime(deadlineMs: number): SojournError {
  const message = `QEMU did not answer within ${deadlineMs} ms of being told to stop the guest`;
  return new SojournError("SOJ_FROZEN_DEADLINE", message, { retryable: true });
}

/** Whether nothing follows in precopy any more. */
export function leftPrecopy(event: GuestEvent): boolean {
  const ends = ["pre-switchover", "failed", "cancelled"];
  return event.name === "MIGRATION" && ends.includes(String(event.data.status));
}

function leftSwitchover(event: GuestEvent): boolean {
  return event.name === "MIGRATION" && event.data.status !== "pre-switchover";
}

function isOver(event: GuestEvent): boolean {
  const ends = ["completed", "failed"];
  return event.name === "MIGRATION" && ends.includes(String(event.data.status));
}

/** The host's wall clock as QEMU stamped it; ours where its clock failed. */
export function stampOf({ timestampMs }: GuestEvent): number {
  return Number.isNaN(timestampMs) ? wallClockMs() : timestampMs;
}
