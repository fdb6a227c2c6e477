import rateLimit from "@fastify/rate-limit";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ExitCode, SojournError, usageError } from "../../platform/errors.ts";
import type { Api } from "../api/api.ts";
import { maxBodyBytes } from "../api/limits.ts";
import type { Admission } from "./admission.ts";
import type { Authenticator } from "./authenticator.ts";
import { clientNetwork } from "./client-network.ts";
import type { ApiLimits } from "./config.ts";
import { isOfAnotherSite } from "./cross-site.ts";
import type { Followers } from "./followers.ts";
import type { Refusals } from "./refusals.ts";

export interface GuardOptions {
  authenticator: Authenticator;
  admission: Admission;
  followers: Followers;
  refusals: Refusals;
  limits: ApiLimits;
}

/** Longest path with query that is looked at. */
const maxUrlBytes = 2048;

/** Callers and addresses whose requests are counted at once; beyond that the longest unseen are forgotten. */
const countedKeys = 5000;

/**
 * What every request over TCP has to pass before its body is read: the rate of its address, the length of its URL, who
 * it is from, and that caller's connections and rate. Registered before the routes.
 */
export async function guardRequests(app: Api, options: GuardOptions): Promise<void> {
  const { authenticator, admission, followers, refusals, limits } = options;
  await app.register(rateLimit, { global: false, cache: countedKeys });
  const ofAddress = app.createRateLimit({
    max: limits.requestsPerSecondPerAddress,
    timeWindow: 1000,
    keyGenerator: (request) => clientNetwork(request.ip),
  });
  const ofCaller = app.createRateLimit({
    max: limits.requestsPerSecond,
    timeWindow: 1000,
    keyGenerator: ({ caller, ip }) => caller?.name ?? ip,
  });
  const limit = async (check: typeof ofAddress, request: FastifyRequest, reply: FastifyReply) => {
    const found = await check(request);
    if (found.isAllowed || !found.isExceeded) return;
    reply.header("retry-after", String(Math.max(1, found.ttlInSeconds)));
    throw tooManyRequests(found.max);
  };
  app.addHook("onRequest", async (request, reply) => {
    await limit(ofAddress, request, reply);
    if (request.url.length > maxUrlBytes) throw urlTooLong();
    if (!hasOneHost(request)) throw usageError("a request names its host, and one only");
    if (isOfAnotherSite(request)) throw usageError("pages of other sites may not ask for this");
    request.caller = authenticator.identify(request.raw);
    if (!admission.identified(request.raw.socket, request.caller.name)) {
      throw tooManyConnections(limits.maxConnectionsPerCaller);
    }
    await limit(ofCaller, request, reply);
    if (request.routeOptions.config.isStream) followers.add(request, reply, request.caller);
  });
  app.addHook("preParsing", async ({ headers }, reply) => {
    const isFit = Number(headers["content-length"] ?? 0) <= maxBodyBytes;
    if (isFit && headers.expect?.toLowerCase() === "100-continue") reply.raw.writeContinue();
  });
  app.addHook("onSend", async (request, reply) => {
    const { statusCode } = reply;
    const challenge = challenges[statusCode];
    if (challenge !== undefined) reply.header("www-authenticate", challenge);
    if (statusCode === 429 && !reply.hasHeader("retry-after")) reply.header("retry-after", "1");
    const isRefusal = refusalStatuses.has(statusCode);
    if (isRefusal)
      refusals.count(String(statusCode), { from: request.ip, caller: nameOf(request) });
    // Asking again costs the one who asks a handshake; a body that nobody wants is not read to its end.
    const isUnread = statusCode >= 400 && !request.raw.complete;
    if ((isRefusal && statusCode !== 403) || isUnread) reply.header("connection", "close");
  });
}

/** RFC 9112, 3.2. */
function hasOneHost({ raw }: FastifyRequest): boolean {
  const { rawHeaders } = raw;
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host");
  return hosts.length === 1 || (hosts.length === 0 && raw.httpVersion === "1.0");
}

function nameOf({ caller }: FastifyRequest): string | null {
  return caller?.name ?? null;
}

/** RFC 6750, 3. */
const challenges: Record<number, string> = {
  401: 'Bearer realm="sojourn"',
  403: 'Bearer realm="sojourn", error="insufficient_scope"',
};

const refusalStatuses = new Set([401, 403, 413, 414, 429]);

function tooManyRequests(perSecond: number): SojournError {
  return new SojournError("SOJ_TOO_MANY_REQUESTS", `more than ${perSecond} requests a second`, {
    exitCode: ExitCode.precondition,
    httpStatus: 429,
    retryable: true,
    hint: "ask again after the seconds in Retry-After, or follow events instead of asking",
  });
}

function tooManyConnections(limit: number): SojournError {
  return new SojournError(
    "SOJ_TOO_MANY_CONNECTIONS",
    `${limit} connections of this caller are open, which is as many as it may have`,
    {
      exitCode: ExitCode.precondition,
      httpStatus: 429,
      retryable: true,
      hint: "close some or use them again, or raise max_connections_per_caller in [api]",
    },
  );
}

function urlTooLong(): SojournError {
  return new SojournError("SOJ_URL_TOO_LONG", `the URL exceeds ${maxUrlBytes} bytes`, {
    exitCode: ExitCode.usage,
    httpStatus: 414,
  });
}
