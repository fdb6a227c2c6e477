import type { Socket } from "node:net";
import { ExitCode, SojournError } from "../../platform/errors.ts";
import { problemMediaType, problemOf } from "./problems.ts";

/**
 * For fastify's option `clientErrorHandler`: bytes that are no HTTP, or do not come in time, are answered with a problem
 * and the end of the connection, and nothing behind them is looked at.
 */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  // Without HTTP, as in a TLS handshake that never ends, nothing can be said.
  if (!/^(?:HPE|ERR_HTTP)_/.test(error.code ?? "") || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = problemOf(meaningOf(error));
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    `content-type: ${problemMediaType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

function meaningOf({ code }: { code?: string }): SojournError {
  if (code === "HPE_HEADER_OVERFLOW") {
    return refused("SOJ_HEADERS_TOO_LARGE", "the headers are too large", 431);
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return refused("SOJ_REQUEST_TIMEOUT", "the request did not come in time", 408);
  }
  return refused("SOJ_BAD_REQUEST", "this is not HTTP/1.1", 400);
}

function refused(code: `SOJ_${string}`, message: string, httpStatus: number): SojournError {
  return new SojournError(code, message, { exitCode: ExitCode.usage, httpStatus });
}
