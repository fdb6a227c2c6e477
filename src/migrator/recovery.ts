import { endedInstance } from "../hypervisor/ended-instance.ts";
import type { Logger } from "../platform/log.ts";
import type { Destinations } from "./destinations.ts";
import type { Journal } from "./journal.ts";
import type { Failure, MigrationEvent, MigrationState } from "./migration-state.ts";
import type { Migrations } from "./migrations.ts";
import type { GuestRecord } from "./records.ts";
import type { MigrationTask, SourceContext } from "./source-context.ts";
import { lossless } from "./strategy.ts";
import { isPromised } from "./transition.ts";

const restarted: Failure = {
  step: "daemon",
  code: "SOJ_DAEMON_RESTARTED",
  message: "the source's daemon ended in the middle of the migration",
  hint: "start the migration again",
};

/**
 * What an unfinished migration goes on with at its source after a restart, told by the journal alone (DESIGN 3):
 * before the promise back, after it whatever the destination says. Pure.
 */
export function resumptionOf(
  journal: Pick<Journal, "has">,
  id: string,
): { state: MigrationState; event: MigrationEvent } {
  if (journal.has(id, "taken-over-by-destination")) {
    return { state: { name: "switchover" }, event: { type: "destination-resumed" } };
  }
  if (journal.has(id, "promise")) {
    return { state: { name: "switchover" }, event: { type: "failed", failure: restarted } };
  }
  return { state: { name: "armed" }, event: { type: "failed", failure: restarted } };
}

/**
 * What a daemon does before it answers anybody: adopts the guests' processes and goes on with what an earlier daemon
 * left unfinished, so that no guest stands for longer than the monitor needs. Only then `prepareNetwork`, and the
 * kernel as the records say; whatever a migration changes there waits for that.
 */
export async function recoverHost(
  context: SourceContext,
  migrations: Migrations,
  destinations: Destinations,
  prepareNetwork: () => Promise<void> = async () => {},
): Promise<void> {
  const { guests, network, logger } = context;
  const reconciled = Promise.withResolvers<void>();
  let arrivals: Promise<void>;
  {
    using _held = await network.hold();
    for (const instance of await guests.hypervisor.findInstances()) guests.adopt(instance);
    recoverSources(context, migrations, logger);
    arrivals = destinations.recover(reconciled.promise);
    await prepareNetwork();
    await network.reconcileWhileHeld();
  }
  reconciled.resolve();
  await arrivals;
  await guests.forgetEnded();
}

/** Finishes, in the background, what an earlier daemon left at the source. Frozen guests come first. */
function recoverSources(context: SourceContext, migrations: Migrations, logger: Logger): string[] {
  const unfinished = context.records.all().filter((record) => record.migration?.role === "source");
  const resumed = unfinished.flatMap((record) => {
    const task = taskOf(record);
    if (task === null) return [];
    if (context.journal.isHeld(record.guest)) {
      if (context.journal.has(task.id, "promise")) noteRouteChange(context, record);
      return [];
    }
    if (context.guests.instance(record.guest) === undefined) {
      logger.warn({ guest: record.guest }, "the guest's process at the source has ended meanwhile");
      context.guests.adopt(endedInstance(record.definition));
    }
    const { state, event } = resumptionOf(context.journal, task.id);
    if (isPromised(state)) noteRouteChange(context, record);
    logger.warn(
      { migration: task.id, guest: task.guest, state: state.name },
      "going on after a restart",
    );
    const before: GuestRecord = { ...record, outgoing: null, migration: null };
    return [migrations.resume(task, before, record.migration?.resume ?? true, state, event)];
  });
  migrations.endAbandoned(restarted);
  return resumed;
}

/** The route change follows the promise and is not recorded by itself (`RecordStore.putVolatile`). */
function noteRouteChange(context: SourceContext, record: GuestRecord): void {
  if (record.outgoing === null) return;
  context.records.putVolatile({ ...record, outgoing: { ...record.outgoing, switched: true } });
}

function taskOf(record: GuestRecord): MigrationTask | null {
  const { migration, outgoing } = record;
  if (migration === null || outgoing === null) return null;
  return {
    id: migration.id,
    guest: record.guest,
    epoch: migration.epoch,
    to: migration.peer,
    toUnderlayAddress: outgoing.tunnel.remoteAddress,
    tunnelKind: outgoing.tunnel.kind,
    deadlineMs: 0,
    // Whatever it began as: the traffic follows the promise from here on (`noteRouteChange`).
    strategy: lossless,
  };
}
