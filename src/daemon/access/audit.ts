import type { FastifyRequest } from "fastify";
import type { Logger } from "../../platform/log.ts";
import type { Api } from "../api/api.ts";

/**
 * Logs one line for every request of a known caller that could have changed something: who, from where, what, and how
 * it was answered. Bodies and headers stay out: they hold secrets.
 */
export function auditChanges(app: Api, logger: Logger): void {
  app.addHook("onError", async (request, _reply, error) => {
    const { code } = error as { code?: unknown };
    if (typeof code === "string" && code.startsWith("SOJ_")) failures.set(request, code);
  });
  app.addHook("onResponse", async (request, reply) => {
    const { caller, method, routeOptions, params } = request;
    if (caller === null || harmless.has(method)) return;
    const location = reply.getHeader("location");
    logger.info(
      {
        audit: true,
        caller: caller.name,
        role: caller.role,
        from: request.ip ?? null,
        operation: routeOptions.schema?.operationId ?? null,
        method,
        route: routeOptions.url ?? null,
        params: bounded(params),
        status: reply.statusCode,
        ...(typeof location === "string" ? { location } : {}),
        ...(failures.has(request) ? { code: failures.get(request) } : {}),
      },
      reply.statusCode < 400 ? "API change" : "API change refused or failed",
    );
  });
}

const harmless = new Set(["GET", "HEAD", "OPTIONS"]);

const failures = new WeakMap<FastifyRequest, string>();

/** Names and ids of the path; what is no name was not accepted either. */
function bounded(params: unknown): Record<string, string> {
  const entries = Object.entries((params ?? {}) as Record<string, unknown>);
  return Object.fromEntries(
    entries.slice(0, 5).map(([name, value]) => [name, String(value).slice(0, 63)]),
  );
}
