import { z } from "zod";
import { flowPathNames } from "../../../migrator/flow-path.ts";
import { type FlowQuery, flowSummarySchema } from "../../inventory/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { pageQuery, sendPage } from "../list-pages.ts";
import { namedParams, nameSchema } from "../schemas/names.ts";

const flowQuery = pageQuery.extend({
  all: z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true")
    .meta({
      description: "Also TCP's that are over, or were never answered (TIME_WAIT, CLOSE, SYN_SENT)",
    }),
  path: z.enum(flowPathNames).optional().meta({ description: "Only flows that take this way" }),
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
        description:
          "Both the guest's home and the host where it is can be asked. 409 SOJ_FLOWS_UNTRACKED where this host's kernel tracks no connections",
        tags: ["flows"],
        params: namedParams,
        querystring: flowQuery,
        response: answers,
      },
    },
    async (request, reply) => {
      const flows = await services().listFlows(request.params.name, wanted(request.query));
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
      const flows = await services().listFlows(request.query.guest, wanted(request.query));
      return sendPage(request, reply, flows, ({ id }) => id);
    },
  );
}

function wanted({ all, path }: z.output<typeof flowQuery>): FlowQuery {
  return { all, ...(path === undefined ? {} : { path }) };
}
