import { z } from "zod";
import {
  type Evacuation,
  evacuationBody,
  evacuationCancelBody,
  evacuationPlanSchema,
  evacuationSchema,
} from "../../evacuation/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { pageQuery, sendPage } from "../list-pages.ts";
import { nameSchema } from "../schemas/names.ts";

const identifiedParams = z.object({ id: nameSchema.meta({ description: "Of the evacuation" }) });

const listQuery = pageQuery.extend({
  host: z
    .exactOptional(nameSchema)
    .meta({ description: "A peer, which is asked; absent: the host that answers" }),
});

/** Emptying hosts: begin or plan, list, follow, cancel. */
export function addEvacuationRoutes(app: Api, services: () => DaemonServices): void {
  const tags = ["evacuations"];
  app.post(
    "/v1/evacuations",
    {
      config: { role: "operate" },
      schema: {
        operationId: "startEvacuation",
        summary: "Move all guests of a host to others, or plan it",
        description:
          "One at a time for a host. It is in maintenance from then on: no guest comes to it until that is ended",
        tags,
        body: evacuationBody,
        response: { 200: evacuationPlanSchema, 202: evacuationSchema },
      },
    },
    async ({ body }, reply) => {
      const { host = null, dry_run: dryRun, ...wanted } = body;
      if (dryRun) return reply.status(200).send(await services().planEvacuation(host, wanted));
      const begun = await services().startEvacuation(host, wanted);
      return reply.status(202).header("location", `/v1/evacuations/${begun.id}`).send(begun);
    },
  );
  app.get(
    "/v1/evacuations",
    {
      config: { role: "read" },
      schema: {
        operationId: "listEvacuations",
        summary: "The evacuations that a host remembers, newest first",
        tags,
        querystring: listQuery,
        response: { 200: z.array(evacuationSchema) },
      },
    },
    async (request, reply) => {
      const evacuations = await services().listEvacuations(request.query.host ?? null);
      const newestFirst = evacuations.toSorted((one, other) =>
        keyOf(one) < keyOf(other) ? -1 : 1,
      );
      return sendPage(request, reply, newestFirst, keyOf);
    },
  );
  app.get(
    "/v1/evacuations/:id",
    {
      config: { role: "read" },
      schema: {
        operationId: "getEvacuation",
        summary: "How far an evacuation is, guest by guest; also one of a peer's",
        tags,
        params: identifiedParams,
        response: { 200: evacuationSchema },
      },
    },
    async ({ params }) => services().getEvacuation(params.id),
  );
  app.post(
    "/v1/evacuations/:id/cancel",
    {
      config: { role: "operate" },
      schema: {
        operationId: "cancelEvacuation",
        summary: "Begin no further migration; those under way go on unless told otherwise",
        tags,
        params: identifiedParams,
        body: evacuationCancelBody,
        response: { 200: evacuationSchema },
      },
    },
    async ({ params, body }) => services().cancelEvacuation(params.id, body),
  );
}

/** Smaller for a later one. */
function keyOf({ started_ms: startedMs, id }: Evacuation): string {
  return `${String(1e15 - startedMs).padStart(16, "0")}-${id}`;
}
