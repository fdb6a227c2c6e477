import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";

/** What a caller may do: look, move guests, or change what the host itself does. Each includes the ones before it. */
export const roles = ["read", "operate", "admin"] as const;

export type Role = (typeof roles)[number];

/** The HTTP server that route files add to; zod schemas give its handlers their types. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/**
 * Lets a request pass that needs `role`, or throws a `SojournError` (401, 403). Called before the body is read, also
 * for paths that do not exist (as `read`).
 */
export type Authorize = (request: FastifyRequest, role: Role) => void | Promise<void>;

declare module "fastify" {
  interface FastifyContextConfig {
    /** Needed of the caller; a route without it stops the server from starting. */
    role?: Role;
    /** It answers with a stream of events, for as long as the client likes. */
    isStream?: boolean;
    /** It changes something, and may wait as reads do while a guest stands. */
    canWait?: boolean;
  }
  interface FastifySchema {
    operationId?: string;
    summary?: string;
    description?: string;
    tags?: readonly string[];
    hide?: boolean;
  }
}
