import { z } from "zod";
import { tunnelSummarySchema } from "../../inventory/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { pageQuery, sendPage } from "../list-pages.ts";

/** Tunnels of this host. */
export function addTunnelRoutes(app: Api, services: () => DaemonServices): void {
  app.get(
    "/v1/tunnels",
    {
      config: { role: "read" },
      schema: {
        operationId: "listTunnels",
        summary: "Tunnels of this host: as guests need them, as the kernel has them, what passed",
        tags: ["tunnels"],
        querystring: pageQuery,
        response: { 200: z.array(tunnelSummarySchema) },
      },
    },
    async (request, reply) =>
      sendPage(request, reply, await services().listTunnels(), (tunnel) => tunnel.interface),
  );
}
