import type { AnsweredRequest } from "../metrics/api-metrics.ts";
import type { Api } from "./api.ts";

/** A scrape: the text and its media type. */
export interface Scraped {
  contentType: string;
  text: string;
}

/** What the API needs of the daemon's metrics. */
export interface ApiMetricsSource {
  expose(): Promise<Scraped>;
  api: { note(request: AnsweredRequest): void };
}

/** For an API without a daemon. */
export const noMetrics: ApiMetricsSource = {
  expose: async () => ({ contentType: "text/plain", text: "" }),
  api: { note: () => {} },
};

/** Tells of every request that was answered, those that were refused too. */
export function observeRequests(app: Api, { api }: Pick<ApiMetricsSource, "api">): void {
  app.addHook("onResponse", async (request, reply) => {
    api.note({
      method: request.method,
      route: request.is404 ? null : (request.routeOptions.url ?? null),
      status: reply.statusCode,
      tookMs: reply.elapsedTime,
      isStream: request.routeOptions.config.isStream === true && reply.statusCode === 200,
    });
  });
}
