import type { GuestInstance } from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";
import { ExitCode, hasCode, SojournError } from "../platform/errors.ts";
import { persistently, retry } from "../platform/retry.ts";
import { lostInHandover } from "./failures.ts";
import { leaveGuest } from "./forget-flows.ts";
import { keptRedirect } from "./kept-redirect.ts";
import { leaveTunnel } from "./leave-tunnel.ts";
import type { Failure } from "./migration-state.ts";
import { attachmentOf, deliveryRoute } from "./network.ts";
import { isHandedOver, mayGoBack } from "./post-copy-status.ts";
import type { DestinationState } from "./procedures.ts";
import type { GuestRecord } from "./records.ts";
import { needsReset } from "./resume.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { mayRun } from "./stopped-copy.ts";
import { awaitRepointing, releaseHome, thirdHome, thirdHomeOf } from "./third-home.ts";

/** The guest's process is gone while it was still ours. */
export class GuestGone extends Error {
  readonly failure: Failure | undefined;

  /** @param failure why, where that is not its process's end. */
  constructor(failure?: Failure) {
    super();
    this.failure = failure;
  }
}

/**
 * Gives the guest back to the source: ends the stream, continues the guest if we paused it, and takes back
 * what was prepared. Allowed before the promise, and after it once the destination has aborted in writing.
 * @throws GuestGone when the guest's process has ended; what was prepared is removed all the same.
 */
export async function undoAtSource(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<void> {
  const { instance } = facts;
  facts.flows?.stop();
  let failure: Failure | undefined;
  const { address, bridge } = attachmentOf(context.host, facts.before);
  const run = async () => {
    // What others began is theirs to end.
    if (!instance.isAlive() || task.followed) return;
    const mayBeUnusable = context.journal.has(task.id, "post-copy");
    if (mayBeUnusable && (await isHandedOver(instance))) {
      failure = lostInHandover(task);
      await instance.quit();
    } else await giveBack(facts, context.journal.has(task.id, "pausing"));
  };
  // The guest first, and for as long as it takes: nobody else may run it, and nothing else would thaw it.
  await retry(run, {
    pauseMs: retryMs,
    onFailure: (error) =>
      context.logger.error({ migration: task.id, err: error }, "the guest does not run yet"),
  });
  const record = context.records.get(task.guest);
  if (record?.outgoing?.switched) {
    // Whoever makes the network as the records say meanwhile must not change the route again.
    context.records.putVolatile({ ...record, outgoing: { ...record.outgoing, switched: false } });
    await context.network.routing
      .replaceRoute(deliveryRoute(address, bridge))
      .catch((error: unknown) => context.logger.warn({ err: error }, "route not changed back yet"));
  }
  const restored = restoredRecord(context, task, facts.before);
  const armed = facts.networkHold !== null;
  {
    using _held = facts.networkHold ?? (await context.network.hold());
    facts.networkHold = null;
    await persistently(`${task.guest}'s network as before`, context.logger, async () => {
      if (armed) await context.network.routing.disarm(address);
      await context.network.restoreWhileHeld(restored);
    });
  }
  context.homes.tell(task.guest);
  if (instance.isAlive()) return;
  await context.guests.noteEnded(instance);
  // Its end may have been noted before: then the record that was just restored is of a guest that is nowhere.
  await context.guests.forgetEnded();
  throw new GuestGone(failure);
}

/** An operator may have kept the guest here after the destination, and with it a home that is a third host, went on. */
function restoredRecord(
  { host, journal }: SourceContext,
  { id, epoch, to }: MigrationTask,
  before: GuestRecord,
): GuestRecord {
  const restored = { ...before, epoch, migration: null };
  const isKept = thirdHome(host.name, before, to) !== null && journal.has(id, "resolved-source");
  if (!isKept || before.hosting === null) return restored;
  return { ...restored, hosting: { ...before.hosting, homeUntold: "resolved" } };
}

/** How long a destination that lives may take for a sign of it, and one that answers for removing what it prepared. */
const [signOfLifeMs, removalMs] = [1_000, 15_000];

/**
 * Tells the destination to give up. An unreachable one gives up by itself when its lease expires: it was
 * promised nothing.
 */
export async function undoAtDestination(
  context: SourceContext,
  task: Pick<MigrationTask, "id" | "guest" | "epoch" | "to">,
): Promise<void> {
  const peer = context.peer(task.to);
  const identity = { id: task.id, guest: task.guest, epoch: task.epoch };
  try {
    const answers = await peer.call("clock", {}, { timeoutMs: signOfLifeMs }).then(
      () => true,
      () => false,
    );
    // One that is silent gets the order too, if it is ever read; nobody waits for it.
    await peer.call("abort", identity, { timeoutMs: answers ? removalMs : signOfLifeMs });
  } catch (error) {
    context.logger.warn(
      { migration: task.id, err: error },
      "the destination could not be told of the roll-back; its lease will expire",
    );
  }
}

/**
 * What the destination says after the promise, asked until it answers or the deadline passes. A stream that was
 * never continued cannot have arrived, so nothing is waited for then.
 */
export async function settleWithDestination(
  context: SourceContext,
  task: MigrationTask,
  { instance }: Pick<MigrationFacts, "instance">,
): Promise<DestinationState> {
  return await untilAnswered(
    () => askForFinalWord(context, task, instance),
    context.policy.settleDeadlineMs,
  );
}

/** Asks the destination once; its answer is final. @throws SojournError when there is none. */
export async function askForFinalWord(
  context: Pick<SourceContext, "peer" | "journal">,
  task: Pick<MigrationTask, "id" | "guest" | "epoch" | "to">,
  instance: GuestInstance | undefined,
): Promise<DestinationState> {
  const identity = { id: task.id, guest: task.guest, epoch: task.epoch };
  const progress = await instance?.migrationProgress().catch(() => null);
  const isHeldHere = progress?.status === "pre-switchover" && instance?.sealsStream !== true;
  const grace_ms = isHeldHere ? 0 : settleGraceMs;
  const isPostCopy = context.journal.has(task.id, "post-copy");
  const isSent = isPostCopy && instance?.isAlive() && !(progress && mayGoBack(progress.status));
  const question = {
    ...{ ...identity, grace_ms, promised: context.journal.has(task.id, "promise") },
    ...(isSent ? { post_copy: true } : {}),
  };
  const answer = await context.peer(task.to).call("settle", question, { timeoutMs: 10_000 });
  if (answer.state !== "incoming") return answer;
  throw new SojournError(
    "SOJ_POST_COPY_UNDECIDED",
    `${task.to} has not received ${task.guest} yet`,
    {
      retryable: true,
    },
  );
}

/** The destination runs the guest: its network is settled before ours is taken away. */
export async function verifyTraffic(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<void> {
  const identity = { id: task.id, guest: task.guest, epoch: task.epoch };
  const lastFlows = facts.flows?.carryLast();
  try {
    const answer = await untilAnswered(() =>
      context.peer(task.to).call("verify", identity, { timeoutMs: 8_000 }),
    );
    context.logger.info({ migration: task.id, ...answer }, "guest verified at the destination");
    facts.lostAtDestination = answer.run_state === "gone";
    facts.packetsDropped = answer.packets_dropped;
  } finally {
    await endSourceProcess(context, facts);
  }
  await lastFlows;
  if (!facts.lostAtDestination) await facts.flows?.conclude();
}

/** An operator has left the guest to the destination: this copy ends, and its traffic follows. */
export async function yieldToDestination(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<void> {
  await endSourceProcess(context, facts);
  const record = context.records.get(task.guest);
  if (record?.outgoing) await keepRedirect(context, task, record);
}

/** Its guest was taken over: this copy must never run again, whatever else goes wrong. */
async function endSourceProcess(context: SourceContext, facts: MigrationFacts): Promise<void> {
  const { instance } = facts;
  if (instance.isAlive()) {
    facts.finalProgress = await instance.migrationProgress().catch(() => null);
  }
  await retry(() => instance.quit(), {
    ...{ pauseMs: retryMs, forMs: disconnectedMs },
    isFinal: (error) => !isDisconnected(error),
  });
  context.guests.release(instance);
  await instance[Symbol.asyncDispose]();
}

/** Removes what only the migration needed; at home the redirect stays. */
export async function retireSource(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<void> {
  const identity = { id: task.id, guest: task.guest, epoch: task.epoch };
  const home = thirdHomeOf(context, task, facts);
  if (home !== null && !facts.lostAtDestination) {
    await untilAnswered(() => awaitRepointing(context, task, home));
  }
  await leaveTunnel(context, task, facts);
  await untilAnswered(() => context.peer(task.to).call("finish", identity, { timeoutMs: 8_000 }));
  // Home hears of the end of one that was lost from the host where it ended, whose word counts as long as home expects it.
  if (!facts.lostAtDestination) await releaseHome(context, task, home);
  // Last, because after a crash this record is what the destination's end is asked for again.
  const record = context.records.get(task.guest);
  if (!record?.outgoing && !facts.lostAtDestination) return;
  const done = await persistently(`the end of ${task.guest}'s move`, context.logger, async () => {
    const current = context.records.get(task.guest);
    // The guest may be on its way back by now: then this record is the next migration's.
    if (current !== undefined && current.migration?.id !== task.id) return;
    const isGone = facts.lostAtDestination || current === undefined;
    if (isGone || !record) await leaveGuest(context, task.guest);
    else await keepRedirect(context, task, record);
  });
  if (!done) throw new Error("what served the move is not removed at the source");
}

/** Time for a destination that runs the guest to come back before this host's part is left for a restart. */
const retirementDeadlineMs = 120_000;

/** Time for libvirt to come back, which alone can end a guest of its own that stands here; later inquiries end it. */
const disconnectedMs = 30_000;

/** How long the stream's end may take to load once the destination is asked for a final word. */
const settleGraceMs = 1_000;

/** Between two questions; the guest may stand meanwhile. */
const retryMs = 200;

/** Asks again, up to a deadline, while the destination cannot be reached, or meets something that may pass. */
function untilAnswered<Answer>(
  ask: () => Promise<Answer>,
  forMs = retirementDeadlineMs,
): Promise<Answer> {
  return retry(ask, { pauseMs: retryMs, forMs, isFinal });
}

function isDisconnected(error: unknown): boolean {
  return hasCode(error, "SOJ_HYPERVISOR_DISCONNECTED");
}

function isFinal(error: unknown): boolean {
  if (!(error instanceof SojournError)) return true;
  return !error.retryable && error.exitCode === ExitCode.precondition;
}

async function keepRedirect(
  context: SourceContext,
  task: MigrationTask,
  record: GuestRecord,
): Promise<void> {
  const redirect = keptRedirect(record, task.to);
  if (record.home.host !== context.host.name || redirect === null) {
    await leaveGuest(context, task.guest);
    return;
  }
  const gone = { hosting: null, outgoing: null, migration: null };
  await context.network.change({ ...record, ...gone, redirect });
}

/**
 * Ends the stream if there is one, and lets the guest run if we may. Nothing but the monitor is waited for: the guest
 * stands meanwhile.
 * @param mayBeOurStop false when we have not told QEMU to stop the guest: one that is `paused` then was paused by its
 * user during the migration, and stays so.
 */
export async function giveBack(
  facts: Pick<MigrationFacts, "instance" | "resume">,
  mayBeOurStop: boolean,
): Promise<void> {
  const { instance } = facts;
  mayRun(instance);
  await endStream(instance);
  if (!facts.resume) return;
  const state = await instance.runState();
  if (state === "running" || needsReset(state)) return;
  if (mayBeOurStop || state !== "paused") await instance.cont();
}

const moving = ["setup", "active", "pre-switchover", "device", "cancelling"];

/** Also one that is only offered. One that has arrived before it heard of its end hears of it once more. */
async function endStream(instance: GuestInstance): Promise<void> {
  const deadline = monotonicMs() + 5_000;
  let toldAt: string | null = null;
  for (;;) {
    const { status } = await instance.migrationProgress();
    const isMoving = moving.includes(status);
    const isOffered = toldAt === null && instance.offerStream !== undefined;
    if (!isMoving && !isOffered) return;
    if (toldAt === null || (status === "pre-switchover" && toldAt !== status)) {
      toldAt = status;
      await instance.cancelMigration();
    } else if (monotonicMs() > deadline) throw new Error("QEMU does not end the stream");
    else await delay(5);
  }
}
