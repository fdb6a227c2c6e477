import { setImmediate as nextTurn } from "node:timers/promises";
import { startTimer } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import type { GuestFlow } from "../routing/flows/flow-table.ts";
import { guestFlows } from "../routing/flows/guest-flow.ts";
import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";
import { isBarrierFlow } from "./barrier-address.ts";
import { fromCarriedFlow } from "./carried-flow.ts";
import { FlowCarrier } from "./flow-carrier.ts";
import { interruptible } from "./interruptible.ts";
import { attachmentOf } from "./network.ts";
import { readTracked } from "./read-tracked.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { timeLeftMs } from "./source-precopy.ts";

/** Flows that are looked at in one turn of the event loop: a millisecond or two. */
const flowsPerTurn = 2_000;

/** A message of flows takes tens of milliseconds. */
const messageTimeoutMs = 5_000;

/** What a migration has for its flows at least, however long it has taken until then. */
const leastMs = 5_000;

/** For one migration that leaves this host. */
export function flowCarrier(
  context: SourceContext,
  task: MigrationTask,
  { instance, before }: Pick<MigrationFacts, "instance" | "before">,
): FlowCarrier {
  const { flows: table, host, logger } = context;
  const { address, atHome } = attachmentOf(host, before);
  const identity = { id: task.id, guest: task.guest, epoch: task.epoch };
  const renumbered = before.hosting?.renumbered ?? null;
  const options = { timeoutMs: messageTimeoutMs };
  return new FlowCarrier({
    instance,
    logger: logger.child({ migration: task.id, guest: task.guest }),
    read: async () => {
      const tracked = await readTracked(table, address);
      return tracked === null ? null : await carriable(address, tracked, renumbered);
    },
    send: (flows, signal) =>
      context.peer(task.to).call("carry-flows", { ...identity, flows }, { ...options, signal }),
    // What passes home is seen there, wherever the guest is.
    askReset: atHome
      ? null
      : async () => {
          const answer = await context.peer(task.to).call("reset-flows", identity, options);
          return answer.flows.map(fromCarriedFlow);
        },
  });
}

/**
 * Completes what the destination knows of the guest's flows, before the guest is stopped, within the migration's time.
 * @throws SojournError `SOJ_FLOWS_NOT_CARRIED` of a guest that is renumbered: its sessions would be cut.
 */
export async function completeFlows(
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  const { flows } = facts;
  if (flows === null) return;
  const late = new AbortController();
  const limit = startTimer(
    () => late.abort(new Error("the migration's time was over while flows were carried")),
    Math.max(leastMs, timeLeftMs(task, facts)),
  );
  try {
    // What has changed since is told with the last of them, when the guest runs at the destination.
    const completed = facts.flowsTookTheStream ? flows.settled() : flows.complete();
    await interruptible(completed, AbortSignal.any([signal, late.signal]));
  } catch (error) {
    signal.throwIfAborted();
    if (mustCarry(task)) throw notCarried(task, error);
    flows.stop();
    return;
  } finally {
    limit.cancel();
  }
  if (!mustCarry(task)) return;
  if (flows.isUntracked) throw notCarried(task, new Error("this host tracks no flows"));
  if (flows.failure !== null) throw notCarried(task, flows.failure);
  if (flows.areRefused) throw notCarried(task, new Error("its kernel refuses all of them"));
}

/** Whether the guest's stop has anything to wait for. */
export function mustComplete(task: MigrationTask, { flows }: MigrationFacts): boolean {
  return flows !== null && (flows.isNeeded || mustCarry(task));
}

/** Only what is told apart from new flows keeps the old address. */
function mustCarry({ renumber }: MigrationTask): boolean {
  return renumber !== undefined;
}

function notCarried({ guest, to }: MigrationTask, cause: unknown): SojournError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `the flows of ${guest} are not known at ${to}, so that its sessions would be cut: ${why}`;
  return new SojournError("SOJ_FLOWS_NOT_CARRIED", message, {
    cause,
    retryable: true,
    hint: "it can be moved without a new address; established sessions go on then in any case",
  });
}

/** Without those that use an address of this host's own, which end here, and without the readiness barrier's. */
export async function carriable(
  address: string,
  tracked: readonly TrackedFlow[],
  renumbered: string | null,
): Promise<GuestFlow[]> {
  const flows: GuestFlow[] = [];
  for (const [index, flow] of tracked.entries()) {
    if (index > 0 && index % flowsPerTurn === 0) await nextTurn();
    const { original, reply } = flow;
    if (original.destination === renumbered || reply.destination === renumbered) continue;
    flows.push(...guestFlows(address, flow).filter((seen) => !isBarrierFlow(seen)));
  }
  return flows;
}
