import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { SojournError } from "../platform/errors.ts";
import { errorFromJson } from "./error-record.ts";

export interface RequestOptions {
  socketPath: string;
  method: "GET" | "POST" | "PUT";
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

const maxReplyBytes = 16 * 1024 * 1024;

/**
 * One request to the local API; the JSON of a 2xx reply.
 * @throws SojournError the daemon's, or `SOJ_DAEMON_UNREACHABLE`.
 */
export async function requestJson<Result>(options: RequestOptions): Promise<Result> {
  return (await readJson(await send(options))) as Result;
}

/** Like `requestJson` for a stream of one JSON value a line. Ends quietly when the signal fires. */
export async function* requestLines(options: RequestOptions): AsyncGenerator<unknown> {
  const response = await send(options);
  if (response.statusCode !== 200) await readJson(response);
  const lines = createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const line of lines) yield parse(line);
    if (!response.complete && !options.signal?.aborted) throw cutOff();
  } catch (error) {
    if (options.signal?.aborted) return;
    throw error instanceof SojournError ? error : unreachable(options.socketPath, error);
  } finally {
    response.destroy();
  }
}

async function send(options: RequestOptions): Promise<IncomingMessage> {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const request = httpRequest({
    socketPath: options.socketPath,
    method: options.method,
    path: options.path,
    agent: false,
    headers: {
      connection: "close",
      ...options.headers,
      ...(body === undefined
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  request.end(body);
  try {
    const [response] = (await once(request, "response")) as [IncomingMessage];
    // What goes wrong later is seen by the reader of the body.
    request.on("error", () => {});
    return response;
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw unreachable(options.socketPath, error);
  }
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxReplyBytes) throw notOurs(`more than ${maxReplyBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof SojournError ? error : cutOff(error);
  }
  const status = response.statusCode ?? 0;
  const value = parse(Buffer.concat(chunks).toString("utf8"));
  if (status >= 200 && status < 300) return value;
  throw errorFromJson(value, status) ?? notOurs(`HTTP status ${status}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notOurs("not JSON");
  }
}

function notOurs(reason: string): SojournError {
  return new SojournError(
    "SOJ_DAEMON_PROTOCOL",
    `the daemon's answer is not understood: ${reason}`,
    {
      hint: "restart the daemon if it is older than this command",
    },
  );
}

function cutOff(cause?: unknown): SojournError {
  return new SojournError("SOJ_DAEMON_UNREACHABLE", "the daemon ended while it was answering", {
    cause,
    exitCode: 7,
    retryable: true,
    hint: "look at its log; sojourn status tells once it runs again",
  });
}

function unreachable(socketPath: string, cause: unknown): SojournError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const denied = code === "EACCES" || code === "EPERM";
  return new SojournError(
    "SOJ_DAEMON_UNREACHABLE",
    denied
      ? `no permission for the daemon's socket ${socketPath}`
      : `no daemon answers at ${socketPath} (${code})`,
    {
      cause,
      exitCode: 7,
      retryable: !denied,
      hint: denied
        ? "run it as root or as a member of the socket's group"
        : "start it with: sojourn daemon --config /etc/sojourn/sojourn.toml (in the lab: sojourn lab restart NODE)",
    },
  );
}
