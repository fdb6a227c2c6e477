import { z } from "zod";
import { hostSummarySchema } from "../../inventory/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { pageQuery, sendPage } from "../list-pages.ts";
import { namedParams } from "../schemas/names.ts";

/** This host and its peers. */
export function addHostRoutes(app: Api, services: () => DaemonServices): void {
  app.get(
    "/v1/hosts",
    {
      config: { role: "read" },
      schema: {
        operationId: "listHosts",
        summary: "This host and its peers: reachable or not, health, versions, capacity",
        tags: ["hosts"],
        querystring: pageQuery,
        response: { 200: z.array(hostSummarySchema) },
      },
    },
    async (request, reply) =>
      sendPage(request, reply, await services().listHosts(), ({ name }) => name),
  );
  app.get(
    "/v1/hosts/:name",
    {
      config: { role: "read" },
      schema: {
        operationId: "getHost",
        summary: "One of them",
        tags: ["hosts"],
        params: namedParams,
        response: { 200: hostSummarySchema },
      },
    },
    async ({ params }) => services().showHost(params.name),
  );
}
