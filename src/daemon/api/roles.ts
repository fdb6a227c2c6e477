import type { Api, Authorize } from "./api.ts";

/** Makes every route demand the role in its `config`; one without a role is refused when it is added. */
export function demandRoles(app: Api, authorize: Authorize): void {
  app.addHook("onRoute", ({ method, url, config }) => {
    if (config?.role === undefined) throw new Error(`the route ${method} ${url} names no role`);
  });
  app.addHook("onRequest", async (request) => {
    await authorize(request, request.routeOptions.config.role ?? "read");
  });
}
