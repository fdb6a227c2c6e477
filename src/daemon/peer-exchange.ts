import { type Agent, request as httpsRequest } from "node:https";
import { SojournError } from "../platform/errors.ts";
import type { Endpoint } from "./config.ts";

export interface Exchange {
  agent: Agent;
  peer: string;
  address: Endpoint;
  procedure: string;
  body: string;
  timeoutMs: number;
  signal?: AbortSignal;
}

/** Node's server closes without a TLS alert when it does not trust the client's certificate. */
const cutAfterHandshake =
  "it closed the new connection without an answer (it does so when it does not trust this host's certificate)";

const maxResponseBytes = 1024 * 1024;

/** One POST to a peer with a deadline over the whole exchange. Every failure is a typed error. */
export async function exchange(call: Exchange): Promise<{ status: number; json: unknown }> {
  const deadline = AbortSignal.timeout(call.timeoutMs);
  const signal = call.signal === undefined ? deadline : AbortSignal.any([deadline, call.signal]);
  let reply: { status: number; text: string };
  try {
    reply = await post(call, signal);
  } catch (error) {
    if (call.signal?.aborted) throw call.signal.reason;
    throw deadline.aborted ? noAnswer(call) : transportError(call, error);
  }
  try {
    return { status: reply.status, json: JSON.parse(reply.text) };
  } catch (cause) {
    throw new SojournError("SOJ_PEER_PROTOCOL", `${call.peer} did not answer in JSON`, { cause });
  }
}

function post(call: Exchange, signal: AbortSignal): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    let hasAnswered = false;
    const request = httpsRequest(
      {
        agent: call.agent,
        host: call.address.address,
        port: call.address.port,
        method: "POST",
        path: `/peer/v1/${call.procedure}`,
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(call.body),
        },
        signal,
      },
      (response) => {
        hasAnswered = true;
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxResponseBytes) {
            response.destroy(new Error(`more than ${maxResponseBytes} bytes in the answer`));
            return;
          }
          chunks.push(chunk);
        });
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            text: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    // Node ends an answer that changes the protocol (101) without a word.
    request.on("close", () => {
      if (!hasAnswered) reject(new Error("the connection ended without an answer"));
    });
    request.on("error", (error: NodeJS.ErrnoException) => {
      const cut = !request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      reject(cut ? new Error(cutAfterHandshake, { cause: error }) : error);
    });
    request.end(call.body);
  });
}

function noAnswer(call: Exchange): SojournError {
  return unreachable(call, `no answer to ${call.procedure} within ${call.timeoutMs} ms`);
}

function transportError(call: Exchange, cause: unknown): SojournError {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  if (!isTlsRefusal(code, message)) return unreachable(call, message, cause);
  const where = `${call.address.address}:${call.address.port}`;
  return new SojournError("SOJ_PEER_REFUSED", `TLS with ${call.peer} (${where}): ${message}`, {
    cause,
    exitCode: 3,
    httpStatus: 502,
    hint: "both hosts need certificates of one authority that name them: sojourn pki issue",
  });
}

function unreachable(call: Exchange, reason: string, cause?: unknown): SojournError {
  const where = `${call.address.address}:${call.address.port}`;
  return new SojournError(
    "SOJ_PEER_UNREACHABLE",
    `${call.peer} (${where}) is unreachable: ${reason}`,
    {
      cause,
      exitCode: 3,
      httpStatus: 503,
      retryable: true,
      hint: `does the daemon run on ${call.peer}, and does a firewall let ${where} through?`,
    },
  );
}

function isTlsRefusal(code: string, message: string): boolean {
  return (
    code.startsWith("ERR_SSL_") ||
    code.startsWith("ERR_TLS_") ||
    code.startsWith("CERT_") ||
    code.startsWith("UNABLE_TO_") ||
    code === "DEPTH_ZERO_SELF_SIGNED_CERT" ||
    code === "SELF_SIGNED_CERT_IN_CHAIN" ||
    code === "EPROTO" ||
    message.includes("alert")
  );
}
