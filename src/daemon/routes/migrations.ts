import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { asSojournError, usageError } from "../../platform/errors.ts";
import { checkName } from "../../platform/names.ts";
import type { DaemonServices, MigrationEvent } from "../services.ts";
import { migrationBody, probeResultsBody } from "./bodies.ts";

type Identified = { Params: { id: string } };

export function addMigrationRoutes(app: FastifyInstance, services: () => DaemonServices): void {
  app.get("/v1/migrations", () => services().listMigrations());
  app.post("/v1/migrations", async (request, reply) => {
    const { dry_run: dryRun, ...wanted } = checkBody(migrationBody, request.body);
    if (dryRun) return services().planMigration(wanted);
    return reply.status(201).send(await services().startMigration(wanted));
  });
  app.get<Identified>("/v1/migrations/:id", async ({ params }) =>
    services().getMigration(checkId(params.id)),
  );
  app.post<Identified>("/v1/migrations/:id/cancel", async ({ params }) =>
    services().cancelMigration(checkId(params.id)),
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
  app.get<Identified>("/v1/migrations/:id/events", async ({ params }, reply) => {
    const id = checkId(params.id);
    await services().getMigration(id);
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const lines = Readable.from(asLines(services().migrationEvents(id, gone.signal), gone.signal));
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
  const checked = schema.safeParse(body);
  if (checked.success) return checked.data;
  throw usageError(`request body: ${z.prettifyError(checked.error).slice(0, 400)}`);
}
