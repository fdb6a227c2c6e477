import type { RouteOptions } from "fastify";
import type { Api, Authorize } from "./api.ts";

/** Makes every route demand the role in its `config`; the server does not start while one has none. */
export function demandRoles(app: Api, authorize: Authorize): void {
  const routes: Pick<RouteOptions, "method" | "url" | "config">[] = [];
  app.addHook("onRoute", (route) => void routes.push(route));
  app.addHook("onReady", async () => {
    const free = routes.find(({ config }) => config?.role === undefined);
    if (free !== undefined) throw new Error(`the route ${free.method} ${free.url} names no role`);
  });
  app.addHook("onRequest", async (request) => {
    await authorize(request, request.routeOptions.config.role ?? "read");
  });
}
