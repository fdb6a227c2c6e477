import { maintenanceBody, maintenanceSchema } from "../../maintenance/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";

const path = "/v1/host/maintenance";

/** Whether this host takes guests. */
export function addMaintenanceRoutes(app: Api, services: () => DaemonServices): void {
  app.get(
    path,
    {
      config: { role: "read" },
      schema: {
        operationId: "getMaintenance",
        summary: "Whether this host is in maintenance, and which guests it still has",
        tags: ["hosts"],
        response: { 200: maintenanceSchema },
      },
    },
    async () => services().showMaintenance(),
  );
  app.put(
    path,
    {
      config: { role: "admin" },
      schema: {
        operationId: "setMaintenance",
        summary: "Begin or end this host's maintenance",
        description:
          "In maintenance no guest starts or arrives here (409 SOJ_HOST_MAINTENANCE); those that run here run on and may leave. It lasts across restarts. 409 SOJ_EVACUATION_RUNNING for its end while an evacuation empties the host",
        tags: ["hosts"],
        body: maintenanceBody,
        response: { 200: maintenanceSchema },
      },
    },
    async ({ body }) => services().setMaintenance(body),
  );
}
