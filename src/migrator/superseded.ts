import { checkEpoch } from "./epochs.ts";
import { leaveGuest } from "./forget-flows.ts";
import type { HostContext } from "./host-context.ts";
import { runStateOf } from "./migration-facts.ts";
import type { GuestRecord } from "./records.ts";

interface Supersession {
  id: string;
  guest: string;
  epoch: number;
  new_epoch: number;
}

/**
 * Ends this host's copy of a guest that an operator has kept at its source, and removes what belonged to it. Safe to
 * call again after a crash in between. Returns what the copy was like.
 * @throws SojournError `SOJ_STALE_EPOCH` when this host knows the guest under a newer epoch.
 */
export async function supersede(
  context: HostContext,
  request: Supersession,
): Promise<"none" | "stopped" | "running"> {
  const { guests, journal, logger, network, records } = context;
  const { id, guest, epoch, new_epoch } = request;
  const record = records.get(guest);
  const isSuperseded = journal.has(id, "superseded");
  if (record !== undefined && record.epoch > epoch && !isSuperseded) {
    checkEpoch(undefined, request, "destination");
  }
  // The guest is here because of that migration; nobody else may end it.
  if (record?.migration?.id !== id && !journal.has(id, "takeover")) return "none";
  const runState = await runStateOf(context, guest);
  if (!isSuperseded) {
    journal.append({
      step: "superseded",
      migration: id,
      guest,
      epoch: new_epoch,
      role: "destination",
    });
  }
  if (record === undefined || record.epoch > epoch) return "none";
  await guests.end(guest);
  const away = recordAway(context, record);
  if (away === null) await leaveGuest(context, guest);
  else await network.change({ ...away, epoch: new_epoch });
  logger.warn({ migration: id, guest, run_state: runState }, "superseded: this copy has ended");
  if (runState === "none") return "none";
  return runState === "running" ? "running" : "stopped";
}

/**
 * What home remembers of a guest that is at its source again, also when it had landed here: its redirect, which drains if
 * it did before, or that it had left for good. Null at other hosts. Pure.
 */
export function recordAway(
  { host }: Pick<HostContext, "host">,
  record: GuestRecord,
): GuestRecord | null {
  const { home, hosting, migration } = record;
  const gone = { ...record, hosting: null, outgoing: null, migration: null };
  const departed = record.departed ?? migration?.departed;
  if (home.host === host.name && departed !== undefined) return { ...gone, departed };
  if (record.redirect !== null) return gone;
  const tunnel = hosting?.sourceTunnel;
  if (home.host !== host.name || !tunnel || migration === null) return null;
  const drain = migration.drain === undefined ? {} : { drain: migration.drain };
  return { ...gone, redirect: { host: migration.peer, tunnel, ...drain } };
}
