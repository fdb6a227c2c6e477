import { z } from "zod";
import type { Api } from "../api.ts";
import type { Scraped } from "../observed-requests.ts";

/** What Prometheus asks for; also while the daemon is starting. */
export function addMetricsRoutes(app: Api, metrics: { expose(): Promise<Scraped> }): void {
  app.get(
    "/metrics",
    {
      config: { role: "read" },
      schema: {
        operationId: "getMetrics",
        summary: "Metrics of this host in Prometheus' text format",
        tags: ["host"],
        response: { 200: { content: { "text/plain": { schema: z.string() } } } },
      },
    },
    async (_request, reply) => {
      const { contentType, text } = await metrics.expose();
      return reply.type(contentType).send(text);
    },
  );
}
