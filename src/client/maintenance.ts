import type { MaintenanceServices } from "../daemon/maintenance/schemas.ts";
import type { Connection } from "./connection.ts";

/** Whether the daemon's host takes guests. */
export type MaintenanceClient = MaintenanceServices;

export function maintenanceClient(connection: Connection): MaintenanceClient {
  const path = "/v1/host/maintenance";
  return {
    showMaintenance: () => connection.json({ method: "GET", path }),
    setMaintenance: (body) => connection.json({ method: "PUT", path, body }),
  };
}
