import type { ProcedureHandlers } from "../../platform/procedures.ts";
import { type capacityProcedures, ownCapacity } from "./capacity.ts";
import { type GuestPlaces, guestsHere } from "./guests-here.ts";
import type { Maintenance } from "./maintenance.ts";
import type { MaintenanceServices, MaintenanceStatus } from "./schemas.ts";

/** What this host's operator may do about its maintenance, and what peers are told of its capacity. */
export function openMaintenance(
  options: { hostName: string; maintenance: Maintenance } & GuestPlaces,
): { services: MaintenanceServices; handlers: ProcedureHandlers<typeof capacityProcedures> } {
  const { hostName, maintenance } = options;
  return {
    services: {
      showMaintenance: async () => statusOf(hostName, maintenance, options),
      async setMaintenance({ on, reason }) {
        if (on) maintenance.begin(reason);
        else maintenance.end();
        return statusOf(hostName, maintenance, options);
      },
    },
    handlers: { capacity: () => ownCapacity(hostName, maintenance, options) },
  };
}

function statusOf(host: string, { current }: Maintenance, places: GuestPlaces): MaintenanceStatus {
  const { running, arriving, homeOf } = guestsHere(host, places);
  const names = (records: readonly { guest: string }[]) => records.map(({ guest }) => guest).sort();
  return {
    ...{ type: "maintenance", host, on: current !== null },
    ...{ since_ms: current?.sinceMs ?? null, reason: current?.reason ?? null },
    ...{ guests: names(running), arriving: names(arriving), home_of: names(homeOf) },
  };
}
