import { z } from "zod";
import { flowSummarySchema } from "../../inventory/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { pageQuery, sendPage } from "../list-pages.ts";
import { namedParams, nameSchema } from "../schemas/names.ts";

const flowQuery = pageQuery.extend({
  all: z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true")
    .meta({ description: "Also flows that are beginning or ending" }),
});

const answers = { 200: z.array(flowSummarySchema) };

/** Flows of a guest's addresses that this host's kernel tracks. */
export function addFlowRoutes(app: Api, services: () => DaemonServices): void {
  app.get(
    "/v1/guests/:name/flows",
    {
      config: { role: "read" },
      schema: {
        operationId: "listGuestFlows",
        summary: "A guest's flows through this host, by their id",
        description: "409 SOJ_FLOWS_UNTRACKED where this host's kernel tracks no connections",
        tags: ["flows"],
        params: namedParams,
        querystring: flowQuery,
        response: answers,
      },
    },
    async (request, reply) => {
      const { params, query } = request;
      const flows = await services().listFlows(params.name, { all: query.all });
      return sendPage(request, reply, flows, ({ id }) => id);
    },
  );
  app.get(
    "/v1/flows",
    {
      config: { role: "read" },
      schema: {
        operationId: "listFlows",
        summary: "The same, with the guest's name in the query",
        tags: ["flows"],
        querystring: flowQuery.extend({ guest: nameSchema }),
        response: answers,
      },
    },
    async (request, reply) => {
      const { guest, all } = request.query;
      const flows = await services().listFlows(guest, { all });
      return sendPage(request, reply, flows, ({ id }) => id);
    },
  );
}
