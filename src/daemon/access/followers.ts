import type { FastifyReply, FastifyRequest } from "fastify";
import { ExitCode, SojournError } from "../../platform/errors.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Caller } from "./caller.ts";

interface Follower {
  request: FastifyRequest;
  caller: Caller;
}

/** Event streams that are open: so many a caller, and only as long as the caller may follow. */
export class Followers {
  readonly #limit: number;
  readonly #open = new Map<string, Set<Follower>>();

  /** @param limit of one caller. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws SojournError `SOJ_TOO_MANY_FOLLOWERS`, HTTP status 429. */
  add(request: FastifyRequest, reply: FastifyReply, caller: Caller): void {
    const ofCaller = this.#open.get(caller.name) ?? new Set();
    if (ofCaller.size >= this.#limit) throw tooMany(this.#limit);
    const follower = { request, caller };
    this.#open.set(caller.name, ofCaller.add(follower));
    reply.raw.once("close", () => {
      ofCaller.delete(follower);
      if (ofCaller.size === 0) this.#open.delete(caller.name);
    });
  }

  /** Cuts off those who would not be let in again as who they are: expired, revoked, or with another role. */
  recheck(authenticator: Authenticator): void {
    for (const followers of this.#open.values()) {
      for (const { request, caller } of followers) {
        if (!isStill(caller, request, authenticator)) request.raw.socket.destroy();
      }
    }
  }
}

function isStill(caller: Caller, request: FastifyRequest, authenticator: Authenticator): boolean {
  try {
    const now = authenticator.identify(request.raw);
    return now.name === caller.name && now.role === caller.role;
  } catch {
    return false;
  }
}

function tooMany(limit: number): SojournError {
  return new SojournError(
    "SOJ_TOO_MANY_FOLLOWERS",
    `${limit} event streams of this caller are open, which is as many as it may have`,
    {
      exitCode: ExitCode.precondition,
      httpStatus: 429,
      retryable: true,
      hint: "close one, or raise max_followers in [api]",
    },
  );
}
