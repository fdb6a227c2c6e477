import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { asSojournError, ExitCode, SojournError, usageError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import { maxBodyBytes } from "./api/limits.ts";

/** For fastify's option of this name: a path that cannot even be looked up is refused like everything else. */
export function frameworkErrors(
  thrown: FastifyError,
  _request: FastifyRequest,
  reply: FastifyReply,
): void {
  const error = typedError(thrown);
  reply.status(error.httpStatus).send(error.toRecord());
}

/** Makes every failure of the server an `ErrorRecord` body with the error's own HTTP status. */
export function replyWithErrorRecords(
  // biome-ignore lint/suspicious/noExplicitAny: serves instances over any kind of raw server
  app: FastifyInstance<any, any, any, any>,
  logger: Logger,
): void {
  app.setErrorHandler((thrown, request, reply) => {
    const error = typedError(thrown);
    if (error.code === "SOJ_INTERNAL") {
      logger.error({ err: thrown, route: request.url }, "request failed");
    }
    return reply.status(error.httpStatus).send(error.toRecord());
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.slice(0, 120);
    const error = new SojournError("SOJ_UNKNOWN_ROUTE", `there is no ${request.method} ${path}`, {
      exitCode: 2,
      httpStatus: 404,
    });
    return reply.status(404).send(error.toRecord());
  });
}

/**
 * What went wrong with a request, also where fastify itself has thrown it.
 * @param expected hint for a request that could not be read: what a right one is, and where that is written.
 */
export function typedError(thrown: unknown, expected?: string): SojournError {
  if (thrown instanceof SojournError) return thrown;
  const { statusCode, message = "bad request" } = thrown as Partial<FastifyError>;
  if (statusCode === 413) {
    return refused("SOJ_BODY_TOO_LARGE", `the body exceeds ${maxBodyBytes} bytes`, expected, 413);
  }
  if (statusCode === 415) {
    return refused("SOJ_MEDIA_TYPE", "the body must be application/json", expected, 415);
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return usageError(message.slice(0, 300), expected);
  }
  return asSojournError(thrown);
}

function refused(
  code: `SOJ_${string}`,
  message: string,
  hint: string | undefined,
  httpStatus: number,
): SojournError {
  const options = { exitCode: ExitCode.usage, httpStatus };
  return new SojournError(code, message, hint === undefined ? options : { ...options, hint });
}
