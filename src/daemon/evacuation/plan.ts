import { type GuestLoad, predictedSeconds } from "./cost.ts";
import { type Destination, roomsOf, toldDestinations } from "./destinations.ts";
import { evacuationError, noRoom } from "./errors.ts";
import type { RunningGuest } from "./guests.ts";
import { neededMib, place } from "./placement.ts";
import type { EvacuationPlan, EvacuationRequest } from "./schemas.ts";
import type { StoredGuest } from "./state.ts";

/** What a host's guests and its peers were found to be. */
export interface Findings {
  host: string;
  guests: readonly RunningGuest[];
  loads: ReadonlyMap<string, GuestLoad>;
  destinations: readonly Destination[];
  /** Null where it is not known. */
  linkBytesPerSecond: number | null;
}

/** How many guests go at once, as asked for or by default. Pure. */
export function bounds({ parallel = 2, parallel_per_link = 1 }: EvacuationRequest) {
  return { parallel, parallel_per_link };
}

/** The guests in the order in which they go, cheapest first, each with its place. Pure. */
export function queueOf({ guests, loads, destinations, linkBytesPerSecond }: Findings) {
  const places = place(guests, roomsOf(destinations, []));
  const costs = new Map(
    guests.map(({ guest, memoryMib }) => {
      const load = loads.get(guest) ?? {
        usedBytes: memoryMib * 2 ** 20,
        dirtyBytesPerSecond: null,
      };
      return [guest, predictedSeconds(load, linkBytesPerSecond)];
    }),
  );
  const costOf = (guest: RunningGuest) => costs.get(guest.guest) ?? 0;
  const cheapestFirst = guests.toSorted(
    (one, other) => costOf(one) - costOf(other) || (one.guest < other.guest ? -1 : 1),
  );
  return cheapestFirst.map((guest): StoredGuest => {
    const predicted_s = linkBytesPerSecond === null ? null : rounded(costOf(guest));
    return { ...entryOf(guest), predicted_s, to: places.get(guest.guest) ?? null };
  });
}

/** A guest's entry before anything is known of its place and cost. Pure. */
export function entryOf({ guest, memoryMib, home }: RunningGuest): StoredGuest {
  return {
    ...{ guest, home, to: null, state: "queued", migration: null, attempt: 0, failures: 0 },
    ...{ predicted_s: null, memory_mib: memoryMib, blackout_ms: null, error: null },
    failed_at: null,
  };
}

/** What the evacuation would do, for people. Pure. */
export function planOf(
  findings: Findings,
  request: EvacuationRequest,
  queue: readonly StoredGuest[],
): EvacuationPlan {
  const { host } = findings;
  const destinations = toldDestinations(findings.destinations);
  const errorOf = (guest: StoredGuest) => {
    if (guest.to !== null) return null;
    const needed = neededMib({ memoryMib: guest.memory_mib });
    return evacuationError(noRoom(guest.guest, needed, host, destinations));
  };
  return {
    ...{ type: "evacuation-plan", host, ...bounds(request), destinations },
    guests: queue.map((guest) => ({
      ...{ guest: guest.guest, to: guest.to, predicted_s: guest.predicted_s },
      ...{ memory_mib: guest.memory_mib, error: errorOf(guest) },
    })),
  };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}
