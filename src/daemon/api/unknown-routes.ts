import type { FastifyReply, FastifyRequest } from "fastify";
import { ExitCode, SojournError } from "../../platform/errors.ts";
import type { Api } from "./api.ts";
import { sendProblem } from "./problems.ts";

/** Answers paths that do not exist with 404, and others with 405 and the methods that they have (RFC 9110, 15.5.6). */
export function answerUnknownRoutes(app: Api): void {
  const methods = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ method, url }) => {
    const known = methods.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one);
    methods.set(url, known);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request.url);
    const found = [...methods].find(([pattern]) => matches(pattern, path));
    // A route that has the method has found nothing itself: a file that is none.
    if (found === undefined || found[1].has(request.method)) {
      return sendProblem(reply, unknownRoute(request));
    }
    return methodNotAllowed(request, reply, [...found[1]].toSorted().join(", "));
  });
}

function unknownRoute({ method, url }: FastifyRequest): SojournError {
  return new SojournError("SOJ_UNKNOWN_ROUTE", `there is no ${method} ${url.slice(0, 120)}`, {
    exitCode: ExitCode.usage,
    httpStatus: 404,
    hint: "GET /v1/openapi.json lists all",
  });
}

function methodNotAllowed({ method, url }: FastifyRequest, reply: FastifyReply, allowed: string) {
  const path = pathOf(url).slice(0, 120);
  const error = new SojournError("SOJ_METHOD_NOT_ALLOWED", `${path} has no ${method}`, {
    exitCode: ExitCode.usage,
    httpStatus: 405,
    hint: `it has ${allowed}`,
  });
  return sendProblem(reply.header("allow", allowed), error);
}

function pathOf(url: string): string {
  return url.split("?", 1)[0] ?? "";
}

/** Whether a path fits a route's pattern: a segment that starts with a colon fits any one, a star all the rest. */
function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  const star = wanted.indexOf("*");
  if (star === -1 ? given.length !== wanted.length : given.length < star) return false;
  const compared = star === -1 ? wanted : wanted.slice(0, star);
  return compared.every((segment, index) => {
    const actual = given[index] ?? "";
    return segment.startsWith(":") ? actual !== "" : segment === actual;
  });
}
