import { checkEpoch } from "./epochs.ts";
import type { HostContext } from "./host-context.ts";
import type { DestinationState } from "./procedures.ts";

type Identity = { id: string; guest: string; epoch: number };

/**
 * True for a migration to this host that is over: the record lets go of it before the journal says so.
 * @throws SojournError `SOJ_JOURNAL_DAMAGED` for a guest about which nothing is decided.
 */
export function isFinished(
  { journal, records }: Pick<HostContext, "journal" | "records">,
  { id, guest }: Pick<Identity, "id" | "guest">,
): boolean {
  journal.refuseHeld(guest);
  if (journal.has(id, "superseded")) return false;
  if (journal.has(id, "finished")) return true;
  return journal.has(id, "takeover") && records.get(guest)?.migration?.id !== id;
}

/**
 * The answer about a migration that is not under way here any more. One that was never heard of is aborted in
 * writing, so that a delayed `prepare` of it cannot begin afterwards.
 * @throws SojournError `SOJ_STALE_EPOCH` for one that an operator has superseded; what `Journal.append` throws.
 */
export function answerFromJournal(
  { journal }: Pick<HostContext, "journal">,
  identity: Identity,
): DestinationState {
  journal.refuseHeld(identity.guest);
  if (journal.has(identity.id, "superseded")) checkEpoch(undefined, identity, "destination");
  if (journal.has(identity.id, "takeover")) {
    return { state: "taken-over", takeover_ms: null, resume_ms: null };
  }
  if (!journal.has(identity.id, "abort")) {
    journal.append({
      step: "abort",
      migration: identity.id,
      guest: identity.guest,
      epoch: identity.epoch,
      role: "destination",
    });
  }
  return { state: "aborted", takeover_ms: null, resume_ms: null };
}
