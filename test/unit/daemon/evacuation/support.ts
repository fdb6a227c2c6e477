import type { StoredEvacuation, StoredGuest } from "../../../../src/daemon/evacuation/state.ts";

/** A guest that waits for its turn. */
export function queued(guest: string, change: Partial<StoredGuest> = {}): StoredGuest {
  return {
    ...{ guest, home: "host-a", to: "host-b", state: "queued", migration: null, attempt: 0 },
    ...{ predicted_s: null, memory_mib: 128, blackout_ms: null, error: null },
    ...{ failures: 0, failed_at: null },
    ...change,
  };
}

/** An evacuation of host-a that has just begun. */
export function evacuationOfGuests(
  guests: StoredGuest[],
  change: Partial<StoredEvacuation> = {},
): StoredEvacuation {
  const to = ["host-b", "host-c"];
  return {
    ...{ type: "evacuation", id: "e0a1b2c3d4e5", host: "host-a", state: "running" },
    ...{ started_ms: 1_767_225_600_000, ended_ms: null, to, parallel: 2, parallel_per_link: 1 },
    ...{ guests, request: { to }, cancel: "nothing" },
    ...change,
  };
}
