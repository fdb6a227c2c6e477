import type { Evacuation, EvacuationGuest } from "../../../src/client/index.ts";

export function evacuatedGuest(
  guest: string,
  change: Partial<EvacuationGuest> = {},
): EvacuationGuest {
  return {
    ...{ guest, to: "host-b", state: "queued", migration: null, attempt: 0 },
    ...{ predicted_s: 1.25, memory_mib: 128, blackout_ms: null, error: null, ...change },
  };
}

/** Of host-a, with one guest on its way. */
export function evacuationWith(change: Partial<Evacuation> = {}): Evacuation {
  const guest = evacuatedGuest("web1", { state: "migrating", migration: "m1", attempt: 1 });
  return {
    ...{ type: "evacuation", id: "e1", host: "host-a", state: "running" },
    ...{ started_ms: 1_767_225_600_000, ended_ms: null, to: ["host-b", "host-c"] },
    ...{ parallel: 2, parallel_per_link: 1, guests: [guest], ...change },
  };
}
