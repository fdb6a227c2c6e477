import { z } from "zod";
import { keyOfHeader } from "../../idempotency.ts";
import type { DaemonServices } from "../../services.ts";
import { traceParentOf } from "../../tracing/trace-parent.ts";
import type { Api } from "../api.ts";
import { linkNext } from "../list-pages.ts";
import {
  migrationDetailSchema,
  migrationSchema,
  planSchema,
  resolutionSchema,
} from "../schemas/migrations.ts";
import { identifiedParams } from "../schemas/names.ts";
import { probeResultsBody, throughputSchema } from "../schemas/probes.ts";
import { reportSchema } from "../schemas/reports.ts";
import { listQuery, migrationBody, resolutionBody, startHeaders } from "../schemas/requests.ts";

/** Migrations over HTTP: list, start, events, cancel, resolve, reports. */
export function addMigrationRoutes(app: Api, services: () => DaemonServices): void {
  app.get(
    "/v1/migrations",
    {
      config: { role: "read" },
      schema: {
        operationId: "listMigrations",
        summary: "Migrations that this host began or carries out, newest first",
        tags: ["migrations"],
        querystring: listQuery,
        response: { 200: z.array(migrationSchema) },
      },
    },
    async (request, reply) => {
      const { limit, cursor, idempotency_key: key, ...query } = request.query;
      if (key !== undefined) return services().findMigrations(key);
      const page = await services().listMigrations(filterOf(query), limit, cursor);
      return linkNext(request, reply, page.next).send(page.migrations);
    },
  );
  app.post(
    "/v1/migrations",
    {
      config: { role: "operate" },
      schema: {
        operationId: "startMigration",
        summary: "Move a guest, or plan it",
        tags: ["migrations"],
        headers: startHeaders,
        body: migrationBody,
        response: { 200: planSchema, 201: migrationSchema },
      },
    },
    async ({ body, headers }, reply) => {
      const { dry_run: dryRun, abort_unless_followed: abortUnlessFollowed, ...wanted } = body;
      if (dryRun) return reply.status(200).send(await services().planMigration(wanted));
      const header = headers["idempotency-key"];
      const key = header === undefined ? {} : { idempotencyKey: keyOfHeader(header) };
      const started = await services().startMigration(wanted, {
        ...{ abortUnlessFollowed, ...key, ...traceParentOf(headers) },
      });
      return reply.status(201).header("location", `/v1/migrations/${started.id}`).send(started);
    },
  );
  app.get(
    "/v1/migrations/:id",
    {
      config: { role: "read" },
      schema: {
        operationId: "getMigration",
        summary: "One migration, and why it did not complete",
        tags: ["migrations"],
        params: identifiedParams,
        response: { 200: migrationDetailSchema },
      },
    },
    async ({ params }) => services().getMigration(params.id),
  );
  app.post(
    "/v1/migrations/:id/cancel",
    {
      config: { role: "operate" },
      schema: {
        operationId: "cancelMigration",
        summary: "Take a migration back; possible until the promise",
        tags: ["migrations"],
        params: identifiedParams,
        response: { 200: migrationSchema },
      },
    },
    async ({ params }) => services().cancelMigration(params.id),
  );
  app.post(
    "/v1/migrations/:id/resolve",
    {
      config: { role: "admin" },
      schema: {
        operationId: "resolveMigration",
        summary: "Decide where the guest of a migration in doubt is kept",
        tags: ["migrations"],
        params: identifiedParams,
        body: resolutionBody,
        response: { 200: resolutionSchema },
      },
    },
    async ({ params, body }) => services().resolveMigration(params.id, body),
  );
  app.get(
    "/v1/migrations/:id/report",
    {
      config: { role: "read" },
      schema: {
        operationId: "getReport",
        summary: "What a migration came to",
        tags: ["migrations"],
        params: identifiedParams,
        response: { 200: reportSchema },
      },
    },
    async ({ params }) => services().getReport(params.id),
  );
  app.put(
    "/v1/migrations/:id/report",
    {
      config: { role: "operate", canWait: true },
      schema: {
        operationId: "addProbeResults",
        summary: "Put what probers measured into the report and judge the budget",
        tags: ["migrations"],
        params: identifiedParams,
        body: probeResultsBody,
        response: { 200: reportSchema },
      },
    },
    async ({ params, body }) => {
      const { probes, flows, throughput } = body;
      return services().addProbeResults(params.id, probes, flows, throughput);
    },
  );
  app.get(
    "/v1/migrations/:id/throughput",
    {
      config: { role: "read" },
      schema: {
        operationId: "getThroughput",
        summary: "What a stream got around the move; null when no prober has told",
        tags: ["migrations"],
        params: identifiedParams,
        response: { 200: throughputSchema.nullable() },
      },
    },
    async ({ params }, reply) => {
      const body = JSON.stringify(await services().getThroughput(params.id));
      // Fastify would send null as an empty body.
      return reply
        .type("application/json")
        .serializer(String)
        .send(body as never);
    },
  );
}

function filterOf(query: Omit<z.output<typeof listQuery>, "limit" | "cursor" | "idempotency_key">) {
  const { state, open, since, until, ...places } = query;
  return {
    ...places,
    ...(state === undefined ? {} : { states: state }),
    ...(open === undefined ? {} : { isOpen: open }),
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
  };
}
