import { asSojournError, preconditionError, type SojournError } from "../../platform/errors.ts";
import { evacuationError } from "./errors.ts";
import { neededMib, type Room } from "./placement.ts";
import type { EvacuationPlan } from "./schemas.ts";
import type { StoredGuest } from "./state.ts";

interface SizedName {
  guest: string;
  memory_mib: number;
}

/** What a host says of its room. */
export interface HostCapacity {
  maintenance: boolean;
  memory_available_bytes: number;
  running: readonly SizedName[];
  arriving: readonly SizedName[];
}

/** A host that guests may be sent to, as it was just now. */
export interface Destination {
  host: string;
  /** Null when it did not answer. */
  capacity: HostCapacity | null;
  /** Why no guest can go there; null when guests can. */
  error: SojournError | null;
}

/** Asks each; nothing that one of them says or fails to say is thrown. */
export async function surveyDestinations(
  hosts: readonly string[],
  capacityOf: (host: string) => Promise<HostCapacity>,
): Promise<Destination[]> {
  return await Promise.all(
    hosts.map(async (host) => {
      try {
        const capacity = await capacityOf(host);
        return { host, capacity, error: capacity.maintenance ? inMaintenance(host) : null };
      } catch (error) {
        return { host, capacity: null, error: asSojournError(error) };
      }
    }),
  );
}

/**
 * The room at those where guests can go, less what guests are about to take: those on their way there, and of ours also
 * those of which the host has not heard yet. Pure.
 */
export function roomsOf(
  destinations: readonly Destination[],
  ours: readonly Pick<StoredGuest, "guest" | "state" | "to" | "memory_mib">[],
): Room[] {
  return destinations.flatMap(({ host, capacity, error }) => {
    if (capacity === null || error !== null) return [];
    const known = new Set([...capacity.running, ...capacity.arriving].map(({ guest }) => guest));
    const unheard = ours.filter(
      ({ guest, state, to }) => state === "migrating" && to === host && !known.has(guest),
    );
    const taken = [...capacity.arriving, ...unheard].reduce(
      (sum, { memory_mib: memoryMib }) => sum + neededMib({ memoryMib }),
      0,
    );
    return [{ host, freeMib: availableMib(capacity) - taken }];
  });
}

/** As plans and refusals tell them. Pure. */
export function toldDestinations(
  destinations: readonly Destination[],
): EvacuationPlan["destinations"] {
  return destinations.map(({ host, capacity, error }) => ({
    host,
    available_mib: capacity === null ? null : availableMib(capacity),
    maintenance: capacity?.maintenance ?? false,
    error: error === null ? null : evacuationError(error),
  }));
}

function availableMib({ memory_available_bytes: bytes }: HostCapacity): number {
  return Math.floor(bytes / 1024 ** 2);
}

function inMaintenance(host: string): SojournError {
  return preconditionError("SOJ_HOST_MAINTENANCE", `${host} is in maintenance`, {
    hint: `choose another host, or end it there: sojourn maintenance off, on ${host}`,
  });
}
