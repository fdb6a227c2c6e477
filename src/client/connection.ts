import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { usageError } from "../platform/errors.ts";
import { cutOff, notUnderstood, rejection, timedOut, unreachable } from "./failures.ts";

/** Where the daemon is, and who asks. Without `url` it is the local one, on its unix socket. */
export interface ClientOptions {
  /** Default: `SOJOURN_SOCKET` of the environment, else `/run/sojourn/sojourn.sock`. */
  socketPath?: string;
  /** `https://HOST:PORT` of a daemon with `[api]` in its configuration. */
  url?: string;
  /** Bearer token; a function is asked at every request. */
  token?: string | (() => string);
  /** PEM texts: the authority that the daemon's certificate is checked with, and a certificate of one's own. */
  tls?: {
    ca?: string | Buffer;
    cert?: string | Buffer;
    key?: string | Buffer;
    servername?: string;
  };
  /** Longest silence while an answer is awaited, 120 s unless told otherwise. */
  timeoutMs?: number;
}

/** One request. */
export interface Call {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query. */
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** An answer of the API: its JSON, and the `Link` header of a page. */
export interface Answer<Body> {
  body: Body;
  link: string | null;
}

const longestAnswerBytes = 16 * 1024 * 1024;

const defaultTimeoutMs = 120_000;

/** Makes requests of one daemon. */
export class Connection {
  readonly #options: ClientOptions;
  readonly #target: RequestOptions;
  readonly #isTls: boolean;
  /** For people. */
  readonly name: string;

  /** @throws SojournError `SOJ_USAGE` for a URL that is not `https:`. */
  constructor(options: ClientOptions) {
    this.#options = options;
    this.#isTls = options.url !== undefined;
    const socketPath = options.socketPath ?? defaultSocketPath();
    this.#target = options.url === undefined ? { socketPath } : targetOf(options.url);
    this.name = options.url ?? socketPath;
  }

  /** The JSON of a 2xx answer. @throws SojournError the daemon's, or `SOJ_DAEMON_UNREACHABLE` (exit code 7). */
  async json<Body>(call: Call): Promise<Body> {
    return (await this.answer<Body>(call)).body;
  }

  /** The same with what the headers tell. */
  async answer<Body>(call: Call): Promise<Answer<Body>> {
    const response = await this.open(call);
    const text = await textOf(response);
    const status = response.statusCode ?? 0;
    if (status === 204) return { body: undefined as Body, link: null };
    const body = parse(text);
    if (status < 200 || status >= 300) throw rejection(body, status);
    return { body: body as Body, link: [response.headers.link ?? null].flat().join(", ") || null };
  }

  /** The answer's head; its body is the caller's to read or to destroy. */
  async open(call: Call): Promise<IncomingMessage> {
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const { token, tls, timeoutMs = defaultTimeoutMs } = this.#options;
    const bearer = typeof token === "function" ? token() : token;
    const request = (this.#isTls ? httpsRequest : httpRequest)({
      ...this.#target,
      ...(this.#isTls ? { ...tls, minVersion: "TLSv1.3" as const } : {}),
      method: call.method,
      path: call.path,
      agent: false,
      timeout: call.timeoutMs ?? timeoutMs,
      headers: {
        connection: "close",
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...call.headers,
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
      },
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
    request.on("timeout", () => request.destroy(timedOut(this.name)));
    request.end(body);
    // Node ends an answer that changes the protocol (101) without a word.
    const unanswered = new AbortController();
    request.once("close", () => unanswered.abort());
    try {
      const [response] = (await once(request, "response", {
        signal: unanswered.signal,
      })) as [IncomingMessage];
      // What goes wrong later is seen by the reader of the body.
      request.on("error", () => {});
      return response;
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason;
      throw unreachable(this.name, error);
    }
  }
}

/** Where the CLI looks for the daemon: `SOJOURN_SOCKET`, else the default path. */
export function defaultSocketPath(): string {
  return process.env.SOJOURN_SOCKET ?? "/run/sojourn/sojourn.sock";
}

/** The text of an answer. @throws SojournError when it is cut off, or too large to be one of ours. */
export async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > longestAnswerBytes) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw cutOff(error);
  }
  if (size > longestAnswerBytes) throw notUnderstood(`more than ${longestAnswerBytes} bytes`);
  return Buffer.concat(chunks).toString("utf8");
}

/** @throws SojournError `SOJ_DAEMON_PROTOCOL` for what is no JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notUnderstood("not JSON");
  }
}

function targetOf(url: string): RequestOptions {
  const parsed = URL.parse(url);
  if (parsed?.protocol === "https:" && parsed.pathname === "/") {
    const host = parsed.hostname.replace(/^\[(.*)\]$/, "$1");
    return { host, port: parsed.port === "" ? 443 : Number(parsed.port) };
  }
  throw usageError(`${url.slice(0, 200)} is no address of a daemon`, "https://HOST:PORT");
}
