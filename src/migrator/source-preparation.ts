import { wallClockMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import { barrierAddressOf } from "./barrier-address.ts";
import { askThroughBarrier } from "./barrier-question.ts";
import { estimateClockOffset } from "./clock-offset.ts";
import { lanOf } from "./desired-lan.ts";
import { gatewayMacOf } from "./home-record.ts";
import { attachmentOf } from "./network.ts";
import type { GuestRecord } from "./records.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { lookAtLink } from "./source-share.ts";
import { followsLate } from "./strategy.ts";
import { agreedFeatures, offeredFeatures, plainStream, streamOf } from "./stream-features.ts";
import { homeBarrierAddress, prepareHome, proveHome, thirdHomeOf } from "./third-home.ts";

/** Phases `preparing` and `prepared` at the source: the guest and its traffic are not touched. */
export async function prepareDestination(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  const offered = task.followed
    ? plainStream
    : await offeredFeatures(facts.instance, task, context.policy);
  await lookAtLink(context, task, facts);
  await prepareHome(context, task, facts, signal);
  const peer = context.peer(task.to);
  const offset = await estimateClockOffset(
    async () => (await peer.call("clock", {}, { signal })).wall_clock_ms,
    wallClockMs,
  );
  facts.clockOffset = offset;
  context.logger.info({ migration: task.id, ...offset }, "clock offset to the destination");
  facts.before = await withPresentGateway(context, facts.before);
  const offer = task.followed ? undefined : await facts.instance.offerStream?.(task.to);
  const preparation = {
    ...preparationOf(context, task, facts),
    ...(offer && { offer }),
    ...streamOf(offered),
  };
  const prepared = await peer.call("prepare", preparation, { signal });
  facts.migrationPort = prepared.migration_port;
  facts.streamAddress = prepared.migration_address ?? null;
  if (facts.streamAddress !== null) await lookAtLink(context, task, facts);
  facts.streamAnswer = prepared.answer;
  facts.streamFeatures = agreedFeatures(task, offered, prepared.stream);
  facts.renumbered = renumberedBy(task, prepared.renumbered);
}

/** The gateway of a LAN may be another machine than when the guest was started; one that is silent now stays as known. */
async function withPresentGateway(
  { host, network, logger }: Pick<SourceContext, "host" | "network" | "logger">,
  record: GuestRecord,
): Promise<GuestRecord> {
  const { address, atHome } = attachmentOf(host, record);
  const lan = atHome ? lanOf(host, address) : null;
  if (lan === null) return record;
  try {
    const gatewayMac = await gatewayMacOf(host, lan, network.routing);
    return { ...record, home: { ...record.home, gatewayMac } };
  } catch (error) {
    logger.warn({ guest: record.guest, err: error }, "the gateway's MAC address is not known anew");
    return record;
  }
}

/** @throws SojournError when the destination has not done what it was asked for. */
function renumberedBy({ guest, to, renumber }: MigrationTask, answer?: string): string | null {
  if (renumber === undefined) return null;
  const isMeant = renumber.address === "auto" || renumber.address === answer;
  if (answer !== undefined && isMeant) return answer;
  throw new SojournError("SOJ_RENUMBER_UNANSWERED", `${to} has given ${guest} no new address`, {
    hint: `does ${to} run the same release? sojourn host show ${to}`,
  });
}

/** The body of `prepare` and `plan-incoming`. */
export function preparationOf(
  context: Pick<SourceContext, "host">,
  task: MigrationTask,
  facts: Pick<MigrationFacts, "before" | "resume">,
) {
  return {
    id: task.id,
    guest: task.guest,
    epoch: task.epoch,
    definition: facts.before.definition,
    home: facts.before.home,
    source_underlay_address: context.host.underlayAddress,
    tunnel_kind: task.tunnelKind,
    resume: facts.resume,
    lands_late: followsLate(task.strategy),
    ...(task.followed ? { followed: true } : {}),
    ...(task.renumber === undefined ? {} : { renumber: task.renumber.address }),
  };
}

/** The record of a guest whose move away from here is prepared. */
export function outgoingRecord(
  context: Pick<SourceContext, "host">,
  task: MigrationTask,
  facts: Pick<MigrationFacts, "before" | "resume" | "renumbered">,
): GuestRecord & { outgoing: NonNullable<GuestRecord["outgoing"]> } {
  return {
    ...facts.before,
    epoch: task.epoch,
    outgoing: {
      switched: false,
      tunnel: {
        kind: task.tunnelKind,
        localAddress: context.host.underlayAddress,
        remoteAddress: task.toUnderlayAddress,
      },
      ...renumberingOf(task, facts),
    },
    migration: {
      id: task.id,
      epoch: task.epoch,
      role: "source" as const,
      peer: task.to,
      resume: facts.resume,
      ...(task.followed ? { followed: true } : {}),
    },
  };
}

function renumberingOf(
  { renumber }: MigrationTask,
  { renumbered }: Pick<MigrationFacts, "renumbered">,
) {
  if (renumber === undefined || renumbered === null) return {};
  const { address: _wished, ...rest } = renumber;
  return { renumbering: { ...rest, renumbered } };
}

/**
 * Remembers the move without preparing for it, so that a restarted daemon finds what it has to end. Of strategies
 * that make their tunnel only when the stream is under way.
 */
export async function announceSource(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  context.records.put(outgoingRecord(context, task, facts));
  const identity = { id: task.id, guest: task.guest, epoch: task.epoch };
  await context.peer(task.to).call("close-barrier", identity, { signal });
}

/** Makes the source's side of the network: tunnel, and copies that are prepared but not armed. */
export async function prepareSource(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<void> {
  const record = outgoingRecord(context, task, facts);
  await context.network.change(record);
  facts.tunnelInterface = context.network.tunnelInterface(record.outgoing.tunnel);
  const { kind } = facts.tunnelInterface.spec;
  facts.tunnel = {
    kind,
    datapath: facts.tunnelInterface.datapath,
    mtu: facts.tunnelInterface.mtu,
  };
}

/**
 * The readiness barrier: full-size echo requests with a nonce, forwarded at both hosts through the final
 * tunnel, rules and filters, never into the guest's tap; where home is a third host, through home's tunnel too.
 * @throws SojournError `SOJ_BARRIER_MTU` when only small packets come through, `SOJ_BARRIER_SILENT` when none does.
 */
export async function passBarrier(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  const peer = context.peer(task.to);
  const identity = { id: task.id, guest: task.guest, epoch: task.epoch };
  const tunnel = facts.tunnelInterface;
  if (tunnel === null) throw new Error("the barrier needs the tunnel");
  const { address } = attachmentOf(context.host, facts.before);
  const barrierAddress = barrierAddressOf(task.id);
  const question = { id: task.id, barrierAddress, guestAddress: address };
  const isThird = thirdHomeOf(context, task, facts) !== null;
  const open = {
    ...{ ...identity, barrier_address: barrierAddress },
    ...(isThird ? { home_barrier_address: homeBarrierAddress(task) } : {}),
  };
  await peer.call("open-barrier", open, { signal });
  await askThroughBarrier(context, question, tunnel, signal);
  await proveHome(context, task, facts, signal);
  await peer.call("close-barrier", identity, { signal });
}
