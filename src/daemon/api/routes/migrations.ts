import { Readable } from "node:stream";
import { z } from "zod";
import { asSojournError } from "../../../platform/errors.ts";
import { keyOfHeader } from "../../idempotency.ts";
import type { DaemonServices, MigrationEvent } from "../../services.ts";
import { traceParentOf } from "../../tracing/trace-parent.ts";
import type { Api } from "../api.ts";
import { migrationSchema, planSchema, resolutionSchema } from "../schemas/migrations.ts";
import { identifiedParams } from "../schemas/names.ts";
import { probeResultsBody, throughputSchema } from "../schemas/probes.ts";
import { reportSchema } from "../schemas/reports.ts";
import { followQuery, listQuery, migrationBody, resolutionBody } from "../schemas/requests.ts";

/** Migrations over HTTP: list, start, events, cancel, resolve, reports. */
export function addMigrationRoutes(app: Api, services: () => DaemonServices): void {
  app.get(
    "/v1/migrations",
    {
      config: { role: "read" },
      schema: {
        operationId: "listMigrations",
        summary: "Migrations of this host",
        tags: ["migrations"],
        querystring: listQuery,
        response: { 200: z.array(migrationSchema) },
      },
    },
    async ({ query }) => {
      const { limit, idempotency_key: key } = query;
      if (key !== undefined) return services().findMigrations(key);
      return services().listMigrations(limit);
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
        body: migrationBody,
        response: { 200: planSchema, 201: migrationSchema },
      },
    },
    async ({ body, headers }, reply) => {
      const { dry_run: dryRun, abort_unless_followed: abortUnlessFollowed, ...wanted } = body;
      if (dryRun) return reply.status(200).send(await services().planMigration(wanted));
      const header = headers["idempotency-key"];
      const key = header === undefined ? {} : { idempotencyKey: keyOfHeader(String(header)) };
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
        summary: "One migration",
        tags: ["migrations"],
        params: identifiedParams,
        response: { 200: migrationSchema },
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
      config: { role: "operate" },
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
  app.get(
    "/v1/migrations/:id/events",
    {
      config: { role: "read", isStream: true },
      schema: {
        operationId: "followMigration",
        summary: "Events of one migration",
        tags: ["migrations"],
        params: identifiedParams,
        querystring: followQuery,
      },
    },
    async ({ params: { id }, query }, reply) => {
      const { abort_on_disconnect: abortOnDisconnect } = query;
      await services().getMigration(id);
      const gone = new AbortController();
      reply.raw.once("close", () => gone.abort());
      const events = services().migrationEvents(id, gone.signal, { abortOnDisconnect });
      const lines = Readable.from(asLines(events, gone.signal));
      return reply.header("content-type", "application/x-ndjson").send(lines);
    },
  );
}

/** A failure of the stream itself becomes its last line, since the status is long sent. */
async function* asLines(
  events: AsyncIterable<MigrationEvent>,
  gone: AbortSignal,
): AsyncGenerator<string> {
  try {
    for await (const event of events) yield `${JSON.stringify(event)}\n`;
  } catch (error) {
    if (!gone.aborted) yield `${JSON.stringify(asSojournError(error).toRecord())}\n`;
  }
}
