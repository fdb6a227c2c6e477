import type { Destinations } from "./destinations.ts";
import type { Migrations } from "./migrations.ts";
import { noteRouteChange, restarted, resumeSource } from "./resumption.ts";
import type { SourceContext } from "./source-context.ts";
import { undoAtDestination } from "./source-ending.ts";
import { releaseHome, thirdHome } from "./third-home.ts";

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
  const { guests, network } = context;
  const reconciled = Promise.withResolvers<void>();
  let arrivals: Promise<void>;
  {
    using _held = await network.hold();
    for (const instance of await guests.hypervisor.findInstances()) guests.adopt(instance);
    recoverSources(context, migrations);
    arrivals = destinations.recover(reconciled.promise);
    await prepareNetwork();
    await network.reconcileWhileHeld();
  }
  reconciled.resolve();
  await arrivals;
  await guests.forgetEnded();
}

/** Finishes, in the background, what an earlier daemon left at the source. Frozen guests come first. */
function recoverSources(context: SourceContext, migrations: Migrations): void {
  const unfinished = context.records.all().filter((record) => record.migration?.role === "source");
  for (const record of unfinished) {
    if (!context.journal.isHeld(record.guest)) resumeSource(context, migrations, record);
    else if (context.journal.has(record.migration?.id ?? "", "promise")) {
      noteRouteChange(context, record);
    }
  }
  for (const { id, guest, to, state } of migrations.endAbandoned(restarted)) {
    const records = context.journal.recordsOf(id);
    const { epoch } = records.at(-1) ?? {};
    if (epoch === undefined || context.journal.isHeld(guest)) continue;
    // The destination may have heard of it before this host had prepared anything; it would wait for its lease.
    const isUnprepared = records.every(({ step }) => step === "begin" || step === "undone");
    if (isUnprepared) void undoAtDestination(context, { id, guest, epoch, to });
    if (state === "rolled-back") void releaseThirdHome(context, { id, guest, epoch, to });
  }
}

/** A home that does not answer will ask. */
async function releaseThirdHome(
  context: SourceContext,
  task: { id: string; guest: string; epoch: number; to: string },
): Promise<void> {
  const record = context.records.get(task.guest);
  const home = record === undefined ? null : thirdHome(context.host.name, record, task.to);
  await releaseHome(context, task, home);
}
