import type {
  Evacuation,
  EvacuationPlan,
  EvacuationServices,
} from "../../src/daemon/evacuation/schemas.ts";
import { preconditionError } from "../../src/platform/errors.ts";

/** One of two guests, of which the first has moved and the second is under way. */
export const evacuation: Evacuation = {
  ...{ type: "evacuation", id: "e5f1c0a9b2d3", host: "host-a", state: "running" },
  ...{ started_ms: 1_767_225_600_000, ended_ms: null },
  ...{ to: ["host-b", "host-c"], parallel: 2, parallel_per_link: 1 },
  guests: [
    {
      ...{ guest: "web1", to: "host-b", state: "moved", migration: "m1", attempt: 1 },
      ...{ predicted_s: 1.2, memory_mib: 128, blackout_ms: 24.1, error: null },
    },
    {
      ...{ guest: "web2", to: "host-c", state: "migrating", migration: "m2", attempt: 1 },
      ...{ predicted_s: null, memory_mib: 128, blackout_ms: null, error: null },
      progress: { phase: "precopy", transferred_bytes: 1_000, remaining_bytes: 2_000 },
    },
  ],
};

export const evacuationPlan: EvacuationPlan = {
  ...{ type: "evacuation-plan", host: "host-a", parallel: 2, parallel_per_link: 1 },
  destinations: [{ host: "host-b", available_mib: 4_096, maintenance: false, error: null }],
  guests: [{ guest: "web1", to: "host-b", predicted_s: 1.2, memory_mib: 128, error: null }],
};

/** Of a daemon that knows this one evacuation. */
export const fakeEvacuations: EvacuationServices = {
  planEvacuation: async (host) => ({ ...evacuationPlan, host: host ?? "host-a" }),
  startEvacuation: async (host, { to }) => ({ ...evacuation, host: host ?? "host-a", to }),
  listEvacuations: async () => [evacuation],
  getEvacuation: async (id) => known(id),
  cancelEvacuation: async (id) => known(id),
};

function known(id: string): Evacuation {
  if (id === evacuation.id) return evacuation;
  throw preconditionError("SOJ_EVACUATION_UNKNOWN", `there is no evacuation ${id}`, {
    httpStatus: 404,
  });
}
