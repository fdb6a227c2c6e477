import type { Role } from "../api/api.ts";

/** Who makes a request. */
export interface Caller {
  /** For logs and limits, never a secret: `token:ci`, `certificate:sojourn://client/ansible`, `local`. */
  name: string;
  /** Null: known, but may do nothing here. */
  role: Role | null;
  /** Wall clock, milliseconds since 1970; null when it does not end by itself. */
  expiresMs: number | null;
}

/** Whoever may open the unix socket. */
export const localCaller: Caller = { name: "local", role: "admin", expiresMs: null };

declare module "fastify" {
  interface FastifyRequest {
    /** Null until it is known. */
    caller: Caller | null;
  }
}
