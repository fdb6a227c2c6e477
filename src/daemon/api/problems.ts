import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { SojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { typedError } from "../http-errors.ts";
import type { Api } from "./api.ts";

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

/** For whoever has sent a body that cannot be read. */
const expectedBody =
  "a body is one JSON object, of content type application/json, of at most 50 KiB; /docs on this server and docs/api.md tell what is expected";

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
  sendProblem(
    reply.header("connection", "close"),
    typedError(thrown, "GET /v1/openapi.json lists all paths"),
  );
}

/** Makes every failure a problem with the error's own HTTP status. */
export function replyWithProblems(app: Api, logger: Logger): void {
  app.setErrorHandler((thrown, request, reply) => {
    const error = typedError(thrown, expectedBody);
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
