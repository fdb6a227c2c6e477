import {
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from "node:http";
import { request as requestHttps } from "node:https";
import { monotonicMs, startTimer } from "../../platform/clock.ts";
import { ConcurrencyLimit } from "../concurrency-limit.ts";
import { HookFailure } from "./failure.ts";
import { failureOf, failureOfStatus } from "./send-failures.ts";
import {
  type Resolve,
  type ResolvedAddress,
  resolveHostName,
  shownTarget,
  type TargetPolicy,
} from "./targets.ts";

/** What is read of an answer; the rest is left to the receiver. */
const answerBytes = 4096;

const connectTimeoutMs = 5_000;
const defaultConcurrency = 16;

export interface HookRequest {
  url: string;
  /** JSON. */
  body: string;
  /** Beyond content type, length and user agent. */
  headers: Readonly<Record<string, string>>;
  /** For the whole exchange, from the moment it is this request's turn. */
  timeoutMs: number;
  /** PEM certificates that are trusted instead of the system's. */
  ca?: string;
  signal?: AbortSignal;
}

/** An answer with a status of 200 to 299. */
export interface HookAnswer {
  status: number;
  /** The first 4 KiB. */
  body: string;
  /** False when the body went on beyond 4 KiB, broke off, or had not ended in time. */
  isComplete: boolean;
  durationMs: number;
}

export interface HookSenderOptions {
  policy: TargetPolicy;
  resolve?: Resolve;
  /** Requests at the same time; the rest waits. */
  concurrency?: number;
}

/**
 * Sends hooks: one POST on a connection of its own, to an address that was checked, without following redirects, in
 * bounded time and memory.
 */
export class HookSender {
  readonly #policy: TargetPolicy;
  readonly #resolve: Resolve;
  readonly #limit: ConcurrencyLimit;

  constructor({ policy, resolve = resolveHostName, concurrency }: HookSenderOptions) {
    this.#policy = policy;
    this.#resolve = resolve;
    this.#limit = new ConcurrencyLimit(concurrency ?? defaultConcurrency);
  }

  /**
   * @throws HookFailure for everything but an answer of 200 to 299: `SOJ_HOOK_UNREACHABLE`, `SOJ_HOOK_TLS`,
   * `SOJ_HOOK_TIMEOUT`, `SOJ_HOOK_REDIRECTED`, `SOJ_HOOK_REFUSED`, `SOJ_HOOK_STOPPED` (the signal); SojournError
   * `SOJ_HOOK_TARGET_REFUSED`, `SOJ_HOOK_URL_INVALID`.
   */
  async send(request: HookRequest): Promise<HookAnswer> {
    const url = this.#policy.checkUrl(request.url);
    using _turn = await this.#limit.turn(request.signal, () => stopped(url));
    const startMs = monotonicMs();
    const stop = new AbortController();
    const end = (failure: HookFailure) => stop.abort(failure);
    const late = `no answer from ${shownTarget(url)} within ${request.timeoutMs} ms`;
    const timer = startTimer(
      () => end(new HookFailure("SOJ_HOOK_TIMEOUT", late)),
      request.timeoutMs,
    );
    const onAbort = () => end(stopped(url));
    request.signal?.addEventListener("abort", onAbort, { once: true });
    if (request.signal?.aborted) onAbort();
    try {
      const addresses = await this.#addressesOf(url, stop.signal);
      const answer = await exchange(url, addresses, request, stop);
      return { ...answer, durationMs: monotonicMs() - startMs };
    } finally {
      timer.cancel();
      request.signal?.removeEventListener("abort", onAbort);
    }
  }

  async #addressesOf(url: URL, stop: AbortSignal): Promise<ResolvedAddress[]> {
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(stop.reason);
    stop.addEventListener("abort", onAbort, { once: true });
    if (stop.aborted) onAbort();
    try {
      return await Promise.race([this.#policy.addressesOf(url, this.#resolve), aborted.promise]);
    } catch (error) {
      throw failureOf(error, url);
    } finally {
      stop.removeEventListener("abort", onAbort);
    }
  }
}

type Answer = Omit<HookAnswer, "durationMs">;

/** Ends by itself once `stop` fires. */
function exchange(
  url: URL,
  addresses: readonly ResolvedAddress[],
  { body, headers, ca }: HookRequest,
  stop: AbortController,
): Promise<Answer> {
  const isSecure = url.protocol === "https:";
  const options: RequestOptions & { ca?: string } = {
    method: "POST",
    agent: false,
    lookup: lookupOf(addresses),
    signal: stop.signal,
    headers: {
      ...headers,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "user-agent": "sojourn",
      accept: "application/json",
    },
    ...(ca === undefined ? {} : { ca }),
  };
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) =>
      reject(failureOf(stop.signal.aborted ? stop.signal.reason : error, url));
    const request = begun(() => (isSecure ? requestHttps : requestHttp)(url, options), url);
    const late = `no connection to ${shownTarget(url)} within ${connectTimeoutMs} ms`;
    const connecting = startTimer(
      () => stop.abort(new HookFailure("SOJ_HOOK_TIMEOUT", late)),
      connectTimeoutMs,
    );
    request.once("socket", (socket) =>
      socket.once(isSecure ? "secureConnect" : "connect", () => connecting.cancel()),
    );
    // Also of an answer that changes the protocol (101), which Node ends without a word.
    const unanswered = () => fail(new Error("the connection ended without an answer"));
    request.once("close", () => connecting.cancel());
    request.once("close", unanswered);
    request.on("error", fail);
    request.once("response", (response) => {
      // From here on the answer's own end tells: an answer that has begun is one.
      request.off("close", unanswered);
      request.off("error", fail).on("error", () => {});
      readAnswer(response).then((answer) => {
        request.destroy();
        const { status } = answer;
        if (status >= 200 && status < 300) resolve(answer);
        else reject(failureOfStatus(answer, response.headers, url));
      }, fail);
    });
    request.end(body);
  });
}

/** @throws HookFailure for what Node refuses before anything is sent, such as certificates that are none. */
function begun(begin: () => ClientRequest, url: URL): ClientRequest {
  try {
    return begin();
  } catch (error) {
    throw failureOf(error, url);
  }
}

/** Never rejects: what has come until the connection ends, however it ends, is the answer. */
function readAnswer(response: IncomingMessage): Promise<Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const done = (isComplete: boolean) => {
      const body = Buffer.concat(chunks).subarray(0, answerBytes).toString();
      resolve({ status: response.statusCode ?? 0, body, isComplete });
    };
    response.on("data", (chunk: Buffer) => {
      if (bytes > answerBytes) return;
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > answerBytes) done(false);
    });
    response.once("end", () => done(response.complete));
    response.on("error", () => done(false));
    response.once("close", () => done(false));
  });
}

/** Node asks it instead of the system, in either of the two forms of dns.lookup. */
function lookupOf(addresses: readonly ResolvedAddress[]): NonNullable<RequestOptions["lookup"]> {
  return (_hostName, options, callback) => {
    const [first] = addresses;
    if (options.all) callback(null, [...addresses]);
    else callback(null, first?.address ?? "", first?.family ?? 4);
  };
}

function stopped(url: URL): HookFailure {
  return new HookFailure("SOJ_HOOK_STOPPED", `sending to ${shownTarget(url)} was given up`);
}
