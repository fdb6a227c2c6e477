import type { EvacuationError } from "./schemas.ts";
import type { StoredEvacuation, StoredGuest } from "./state.ts";

/** What happens to an evacuation. */
export type QueueEvent =
  /** It is to go there, where there is room for it. */
  | { type: "placed"; guest: string; to: string }
  /** Its migration is about to be asked for. */
  | { type: "started"; guest: string }
  | { type: "begun"; guest: string; migration: string }
  | { type: "moved"; guest: string; blackoutMs: number | null }
  /** `mayRetry`: the same may succeed later. */
  | { type: "failed"; guest: string; error: EvacuationError; mayRetry: boolean }
  /** The daemon ended in the middle, and the guest runs here. */
  | { type: "interrupted"; guest: string; error: EvacuationError }
  /** Somebody cancelled its migration. */
  | { type: "cancelled"; guest: string; error: EvacuationError | null }
  /** It is not here any more, without a migration of ours. */
  | { type: "skipped"; guest: string; error: EvacuationError }
  /** Guests that came here meanwhile. */
  | { type: "found"; guests: StoredGuest[] }
  | { type: "cancel-asked"; running: boolean }
  | { type: "ended"; atMs: number };

/** A guest whose migration failed so often stays where it is. */
const mostFailures = 2;

/** However often daemons end, a guest is not sent on its way more often. */
const mostAttempts = 6;

/** What becomes of the evacuation. Pure. */
export function advance(evacuation: StoredEvacuation, event: QueueEvent): StoredEvacuation {
  switch (event.type) {
    case "found":
      return { ...evacuation, guests: [...evacuation.guests, ...event.guests] };
    case "ended":
      return { ...evacuation, state: endOf(evacuation), ended_ms: event.atMs };
    case "cancel-asked": {
      const cancel = event.running || evacuation.cancel === "all" ? "all" : "queued";
      const guests = evacuation.guests.map((guest) =>
        guest.state === "queued" ? { ...guest, state: "cancelled" as const } : guest,
      );
      return { ...evacuation, cancel, guests };
    }
    default: {
      const isCancelled = evacuation.cancel !== "nothing";
      const guests = evacuation.guests.map((guest) =>
        guest.guest === event.guest ? { ...guest, ...changeOf(guest, event, isCancelled) } : guest,
      );
      return { ...evacuation, guests };
    }
  }
}

/**
 * Guests that may be sent on their way now, in their order, as many as fit beside those that are; one without a place has
 * to get one before. First those that had one from the beginning, then those for which there was no room, and when all
 * others are through those that failed. Pure.
 */
export function startable(evacuation: StoredEvacuation): StoredGuest[] {
  const { parallel, parallel_per_link: perLink } = evacuation;
  const migrating = evacuation.guests.filter(({ state }) => state === "migrating");
  const queued = evacuation.guests.filter(({ state }) => state === "queued");
  const turn = Math.min(...[...migrating, ...queued].map(turnOf));
  const chosen: StoredGuest[] = [];
  const onLink = (to: string | null) =>
    [...migrating, ...chosen].filter((guest) => guest.to === to).length;
  for (const guest of queued.filter((one) => turnOf(one) === turn)) {
    if (migrating.length + chosen.length >= parallel) break;
    if (guest.to === null || onLink(guest.to) < perLink) chosen.push(guest);
  }
  return chosen;
}

/** Whether nothing is left to do. Pure. */
export function isThrough({ guests }: StoredEvacuation): boolean {
  return guests.every(({ state }) => state !== "queued" && state !== "migrating");
}

/** Ascending: those with a place, those without, those that failed before. */
function turnOf({ to, failures }: StoredGuest): number {
  if (failures > 0) return 2;
  return to === null ? 1 : 0;
}

function changeOf(
  guest: StoredGuest,
  event: Exclude<QueueEvent, { type: "found" | "ended" | "cancel-asked" }>,
  isCancelled: boolean,
): Partial<StoredGuest> {
  // What was found out about its turn while that was taken from it.
  if (guest.state === "cancelled") return {};
  switch (event.type) {
    case "placed":
      return { to: event.to };
    case "started":
      return { state: "migrating", attempt: guest.attempt + 1, migration: null, error: null };
    case "begun":
      return { migration: event.migration };
    case "moved":
      return { state: "moved", blackout_ms: event.blackoutMs, error: null };
    case "skipped":
      return { state: "skipped", error: event.error };
    case "cancelled":
      return { state: "cancelled", error: event.error };
    case "failed": {
      const failures = guest.failures + 1;
      const isAgain = event.mayRetry && failures < mostFailures && !isCancelled;
      const { error } = event;
      if (!isAgain) return { state: "failed", failures, error };
      return { state: "queued", failures, error, to: null, failed_at: guest.to };
    }
    case "interrupted": {
      if (isCancelled) return { state: "cancelled", error: event.error };
      const isAgain = guest.attempt < mostAttempts;
      return { state: isAgain ? "queued" : "failed", error: event.error };
    }
  }
}

function endOf({ guests }: StoredEvacuation): StoredEvacuation["state"] {
  const states = new Set(guests.map(({ state }) => state));
  if (states.has("cancelled")) return "cancelled";
  return states.has("failed") ? "incomplete" : "completed";
}
