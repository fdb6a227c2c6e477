import type { FastifyInstance } from "fastify";
import { checkName } from "../../platform/names.ts";
import type { DaemonServices } from "../services.ts";

type Named = { Params: { name: string } };

export function addGuestRoutes(app: FastifyInstance, services: () => DaemonServices): void {
  app.get("/v1/guests", () => services().listGuests());
  app.get<Named>("/v1/guests/:name", async ({ params }) =>
    services().showGuest(checkName("guest", params.name)),
  );
  app.post<Named>("/v1/guests/:name/start", async ({ params }) =>
    services().startGuest(checkName("guest", params.name)),
  );
  app.post<Named>("/v1/guests/:name/stop", async ({ params }) =>
    services().stopGuest(checkName("guest", params.name)),
  );
}
