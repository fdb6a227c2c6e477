import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { asSojournError, SojournError, usageError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import type { Api } from "./api.ts";
import { maxBodyBytes } from "./limits.ts";

/** An error as the API answers it (RFC 9457); the members after `detail` are ours. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  hint: string | null;
  guest_state: string | null;
  exit_code: number;
  retryable: boolean;
  /** Of the migration that it is about; absent when it is about none. */
  id?: string;
}

export const problemMediaType = "application/problem+json";

/** The body that tells `error`. Pure. */
export function problemOf(error: SojournError): Problem {
  const { message, code, hint, guest_state, exit_code, retryable, id } = error.toRecord();
  return {
    type: `urn:sojourn:error:${code}`,
    title: titleOf(code),
    status: error.httpStatus,
    detail: message,
    ...{ code, hint, guest_state, exit_code, retryable },
    ...(id === undefined ? {} : { id }),
  };
}

/** For fastify's option of this name: a path that cannot even be looked up is refused like everything else. */
export function frameworkErrors(
  thrown: FastifyError,
  _request: FastifyRequest,
  reply: FastifyReply,
): void {
  // No hook has seen it, and none has counted it: whoever goes on begins anew.
  sendProblem(reply.header("connection", "close"), typedError(thrown));
}

/** Makes every failure a problem with the error's own HTTP status. */
export function replyWithProblems(app: Api, logger: Logger): void {
  app.setErrorHandler((thrown, request, reply) => {
    const error = typedError(thrown);
    if (error.code === "SOJ_INTERNAL") {
      logger.error({ err: thrown, route: request.routeOptions.url }, "request failed");
    }
    return sendProblem(reply, error);
  });
}

export function sendProblem(reply: FastifyReply, error: SojournError): FastifyReply {
  // As text, for the routes' serializers know only what they answer when all is well.
  const body = JSON.stringify(problemOf(error));
  return reply.status(error.httpStatus).type(problemMediaType).send(body);
}

/** `Guest busy` of `SOJ_GUEST_BUSY`: the same for every occurrence, as RFC 9457 wants it. */
function titleOf(code: string): string {
  const words = code.replace(/^SOJ_/, "").toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function typedError(thrown: unknown): SojournError {
  if (thrown instanceof SojournError) return thrown;
  const { statusCode, message = "bad request" } = thrown as Partial<FastifyError>;
  if (statusCode === 413) {
    return refused("SOJ_BODY_TOO_LARGE", `the body exceeds ${maxBodyBytes} bytes`, 413);
  }
  if (statusCode === 415) {
    return refused("SOJ_MEDIA_TYPE", "the body must be application/json", 415);
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return usageError(message.slice(0, 300));
  }
  return asSojournError(thrown);
}

function refused(code: `SOJ_${string}`, message: string, httpStatus: number): SojournError {
  return new SojournError(code, message, { exitCode: 2, httpStatus });
}
