import { endedInstance } from "../hypervisor/ended-instance.ts";
import type { Journal } from "./journal.ts";
import { usualOptions } from "./migration-options.ts";
import type { Failure, MigrationEvent, MigrationState } from "./migration-state.ts";
import type { Migrations } from "./migrations.ts";
import type { GuestRecord, Renumbering } from "./records.ts";
import type { MigrationTask, SourceContext } from "./source-context.ts";
import { lossless } from "./strategy.ts";

/** Why a migration that a restart interrupted before its promise is taken back. */
export const restarted: Failure = {
  step: "daemon",
  code: "SOJ_DAEMON_RESTARTED",
  message: "the source's daemon ended in the middle of the migration",
  hint: "start the migration again",
};

/** Why an operator's decision takes a migration back. */
const keptAtSource: Failure = {
  step: "resolve",
  code: "SOJ_RESOLVED_SOURCE",
  message: "an operator kept the guest at the source",
  hint: null,
};

/** Why a migration whose destination had taken nothing over is taken back, once it has said so. */
export const answeredLate: Failure = {
  step: "settle-with-destination",
  code: "SOJ_DESTINATION_SILENT",
  message: "the destination did not answer after the promise, and had taken nothing over",
  hint: "start the migration again",
};

/**
 * What an unfinished migration goes on with at its source after a restart, told by the journal alone:
 * before the promise back, after it whatever the destination says (or has said), unless an operator has decided. What was
 * handed over by post-copy goes on being so. Pure.
 */
export function resumptionOf(
  journal: Pick<Journal, "has">,
  id: string,
  failure: Failure = restarted,
): { state: MigrationState; event: MigrationEvent } {
  const state: MigrationState = { name: "switchover", postCopy: journal.has(id, "post-copy") };
  if (journal.has(id, "resolved-source")) {
    return { state, event: { type: "kept-at-source", failure: keptAtSource } };
  }
  if (journal.has(id, "resolved-destination")) {
    return { state, event: { type: "kept-at-destination" } };
  }
  if (journal.has(id, "taken-over-by-destination")) {
    return { state, event: { type: "destination-resumed" } };
  }
  if (isPromiseOpen(journal, id)) return { state, event: { type: "failed", failure } };
  return { state: { name: "armed" }, event: { type: "failed", failure } };
}

/**
 * True while only the destination knows whether it runs the guest: promised, and neither has its abort been recorded
 * here nor has the guest gone on at this source, which it does only once nobody else can run it. Pure.
 */
export function isPromiseOpen(journal: Pick<Journal, "has">, id: string): boolean {
  if (!journal.has(id, "promise")) return false;
  return !journal.has(id, "aborted-by-destination") && !journal.has(id, "undone");
}

/**
 * Goes on, in the background, with a migration that ended between two records here: that of an earlier daemon, or one
 * whose destination did not answer. Returns its id; null when the record is not of such a migration.
 */
export function resumeSource(
  context: SourceContext,
  migrations: Pick<Migrations, "resume" | "goOnFollowing">,
  record: GuestRecord,
  reason: Failure = restarted,
): string | null {
  const { guests, journal, logger } = context;
  const task = taskOf(record, journal);
  if (task === null) return null;
  const isFollowed = record.migration?.followed === true && !journal.has(task.id, "promise");
  const before: GuestRecord = { ...record, outgoing: null, migration: null };
  if (isFollowed && guests.instance(record.guest)?.isAlive()) {
    return migrations.goOnFollowing({ ...task, followed: true }, before);
  }
  if (guests.instance(record.guest) === undefined) {
    logger.warn({ guest: record.guest }, "the guest's process at the source has ended meanwhile");
    guests.adopt(endedInstance(record.definition));
  }
  // libvirt may have ended it because it runs elsewhere: its destination is asked as after a promise.
  if (isFollowed) journal.append(promiseOf(task));
  const { state, event } = resumptionOf(journal, task.id, reason);
  if (journal.has(task.id, "promise")) noteRouteChange(context, record);
  logger.warn({ migration: task.id, guest: task.guest, state: state.name }, "going on");
  return migrations.resume(task, before, record.migration?.resume ?? true, state, event);
}

/** The route change follows the promise and is not recorded by itself (`RecordStore.putVolatile`). */
export function noteRouteChange(context: SourceContext, record: GuestRecord): void {
  if (record.outgoing === null) return;
  context.records.putVolatile({ ...record, outgoing: { ...record.outgoing, switched: true } });
}

function promiseOf({ id, guest, epoch }: MigrationTask) {
  return { step: "promise", migration: id, guest, epoch, role: "source" } as const;
}

function taskOf(record: GuestRecord, journal: Pick<Journal, "has">): MigrationTask | null {
  const { migration, outgoing } = record;
  if (migration === null || outgoing === null) return null;
  return {
    id: migration.id,
    guest: record.guest,
    // An operator's decision for the source makes everything late of the destination's older than the guest.
    epoch: migration.epoch + (journal.has(migration.id, "resolved-source") ? 1 : 0),
    to: migration.peer,
    toUnderlayAddress: outgoing.tunnel.remoteAddress,
    tunnelKind: outgoing.tunnel.kind,
    deadlineMs: 0,
    // Whatever it began as: the traffic follows the promise from here on (`noteRouteChange`).
    strategy: lossless,
    options: usualOptions,
    ...renumberOf(outgoing.renumbering),
  };
}

function renumberOf(renumbering: Renumbering | undefined): Pick<MigrationTask, "renumber"> {
  if (renumbering === undefined) return {};
  const { renumbered: address, ...rest } = renumbering;
  return { renumber: { address, ...rest } };
}
