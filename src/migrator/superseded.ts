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
  const redirect = redirectToSource(context, record);
  if (redirect === null) await leaveGuest(context, guest);
  else {
    const rest = { hosting: null, outgoing: null, migration: null };
    await network.change({ ...record, ...rest, redirect, epoch: new_epoch });
  }
  logger.warn({ migration: id, guest, run_state: runState }, "superseded: this copy has ended");
  if (runState === "none") return "none";
  return runState === "running" ? "running" : "stopped";
}

/** Home leads the guest's traffic to its source again, also when it had landed here; null at other hosts. */
function redirectToSource(
  { host }: Pick<HostContext, "host">,
  { home, redirect, hosting, migration }: GuestRecord,
): GuestRecord["redirect"] {
  if (home.host !== host.name || redirect !== null) return redirect;
  const tunnel = hosting?.sourceTunnel;
  return tunnel && migration ? { host: migration.peer, tunnel } : null;
}
