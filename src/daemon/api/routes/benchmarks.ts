import { z } from "zod";
import {
  type BenchmarkStatus,
  benchmarkBody,
  benchmarkStatusSchema,
} from "../../benchmarks/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";
import { pageQuery, sendPage } from "../list-pages.ts";
import { nameSchema } from "../schemas/names.ts";

const identifiedParams = z.object({ id: nameSchema.meta({ description: "Of the benchmark" }) });

/** Benchmarks with guests of this host: begin, list, follow, cancel. */
export function addBenchmarkRoutes(app: Api, services: () => DaemonServices): void {
  const tags = ["benchmarks"];
  app.post(
    "/v1/benchmarks",
    {
      config: { role: "admin" },
      schema: {
        operationId: "startBenchmark",
        summary: "Move a guest to another host and back, again and again, and measure it",
        description: "One at a time on a host, and with a guest at its home only",
        tags,
        body: benchmarkBody,
        response: { 201: benchmarkStatusSchema },
      },
    },
    async ({ body }, reply) => {
      const begun = await services().startBenchmark(body);
      return reply.status(201).header("location", `/v1/benchmarks/${begun.id}`).send(begun);
    },
  );
  app.get(
    "/v1/benchmarks",
    {
      config: { role: "read" },
      schema: {
        operationId: "listBenchmarks",
        summary: "The benchmarks that this host remembers, newest first",
        tags,
        querystring: pageQuery,
        response: { 200: z.array(benchmarkStatusSchema) },
      },
    },
    async (request, reply) => {
      const benchmarks = await services().listBenchmarks();
      const newestFirst = benchmarks.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
      return sendPage(request, reply, newestFirst, keyOf);
    },
  );
  app.get(
    "/v1/benchmarks/:id",
    {
      config: { role: "read" },
      schema: {
        operationId: "getBenchmark",
        summary: "Progress and, at the end, the result of a benchmark",
        tags,
        params: identifiedParams,
        response: { 200: benchmarkStatusSchema },
      },
    },
    async ({ params }) => services().getBenchmark(params.id),
  );
  app.post(
    "/v1/benchmarks/:id/cancel",
    {
      config: { role: "admin" },
      schema: {
        operationId: "cancelBenchmark",
        summary: "End a benchmark; the guest stays where it is",
        tags,
        params: identifiedParams,
        response: { 200: benchmarkStatusSchema },
      },
    },
    async ({ params }) => services().cancelBenchmark(params.id),
  );
}

/** Smaller for a later one. */
function keyOf({ started_ms: startedMs, id }: BenchmarkStatus): string {
  return `${String(1e15 - startedMs).padStart(16, "0")}-${id}`;
}
