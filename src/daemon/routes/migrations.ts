import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { asSojournError, usageError } from "../../platform/errors.ts";
import { checkName } from "../../platform/names.ts";
import { keyOfHeader } from "../idempotency.ts";
import type { DaemonServices, MigrationEvent } from "../services.ts";
import {
  followQuery,
  listQuery,
  migrationBody,
  probeResultsBody,
  resolutionBody,
} from "./bodies.ts";

type Identified = { Params: { id: string } };

/** Migrations over HTTP: list, start, events (SSE), cancel, resolve, reports. */
export function addMigrationRoutes(app: FastifyInstance, services: () => DaemonServices): void {
  app.get("/v1/migrations", async ({ query }) => {
    const { limit, idempotency_key: key } = checkQuery(listQuery, query);
    if (key !== undefined) return services().findMigrations(key);
    return services().listMigrations(limit);
  });
  app.post("/v1/migrations", async (request, reply) => {
    const checked = checkBody(migrationBody, request.body);
    const { dry_run: dryRun, abort_unless_followed: abortUnlessFollowed, ...wanted } = checked;
    if (dryRun) return services().planMigration(wanted);
    const header = request.headers["idempotency-key"];
    const key = header === undefined ? {} : { idempotencyKey: keyOfHeader(String(header)) };
    const started = await services().startMigration(wanted, { abortUnlessFollowed, ...key });
    return reply.status(201).send(started);
  });
  app.get<Identified>("/v1/migrations/:id", async ({ params }) =>
    services().getMigration(checkId(params.id)),
  );
  app.post<Identified>("/v1/migrations/:id/cancel", async ({ params }) =>
    services().cancelMigration(checkId(params.id)),
  );
  app.post<Identified>("/v1/migrations/:id/resolve", async ({ params, body }) =>
    services().resolveMigration(checkId(params.id), checkBody(resolutionBody, body)),
  );
  app.get<Identified>("/v1/migrations/:id/report", async ({ params }) =>
    services().getReport(checkId(params.id)),
  );
  app.put<Identified>("/v1/migrations/:id/report", async ({ params, body }) => {
    const { probes, flows, throughput } = checkBody(probeResultsBody, body);
    return services().addProbeResults(checkId(params.id), probes, flows, throughput);
  });
  app.get<Identified>("/v1/migrations/:id/throughput", async ({ params }, reply) =>
    // Fastify would send null as an empty body.
    reply
      .type("application/json")
      .send(JSON.stringify(await services().getThroughput(checkId(params.id)))),
  );
  app.get<Identified>("/v1/migrations/:id/events", async ({ params, query }, reply) => {
    const id = checkId(params.id);
    const { abort_on_disconnect: abortOnDisconnect } = checkQuery(followQuery, query);
    await services().getMigration(id);
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const events = services().migrationEvents(id, gone.signal, { abortOnDisconnect });
    const lines = Readable.from(asLines(events, gone.signal));
    return reply.header("content-type", "application/x-ndjson").send(lines);
  });
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

function checkId(id: string): string {
  return checkName("migration", id);
}

/** @throws SojournError `SOJ_USAGE` naming the first fault. */
function checkBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  return check("request body", schema, body);
}

/** @throws SojournError `SOJ_USAGE` naming the first fault. */
function checkQuery<Schema extends z.ZodType>(schema: Schema, query: unknown): z.output<Schema> {
  return check("query", schema, query);
}

function check<Schema extends z.ZodType>(what: string, schema: Schema, value: unknown) {
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  throw usageError(`${what}: ${z.prettifyError(checked.error).slice(0, 400)}`);
}
