import type { RequestListener } from "node:http";
import { startInterval } from "../../platform/clock.ts";
import { type ApiOptions, createApi } from "../api/app.ts";
import { noMetrics } from "../api/observed-requests.ts";
import type { Endpoint } from "../config.ts";
import { listenTcp } from "../listen.ts";
import { Admission } from "./admission.ts";
import type { ApiConfig } from "./config.ts";
import { CredentialFiles } from "./credential-files.ts";
import { Followers } from "./followers.ts";
import { guardRequests } from "./guard.ts";
import { GuardedServer } from "./guarded-server.ts";
import { authorizeCaller } from "./permission.ts";
import { Refusals } from "./refusals.ts";

export interface TcpApiOptions
  extends Pick<ApiOptions, "hostName" | "services" | "logger" | "metrics"> {
  listen: Endpoint;
  config: ApiConfig;
  isGuestStanding: () => boolean;
  /** How often the files of certificates and tokens are looked at. */
  fileCheckMs?: number;
  /** In place of some of the listener's own. */
  timeouts?: Partial<typeof listenerTimeouts>;
}

/** The API on TCP. Disposing stops it; requests under way are cut. */
export interface TcpApi extends AsyncDisposable {
  readonly port: number;
  /** What was refused since the start, by reason. */
  readonly refused: ReadonlyMap<string, number>;
  readonly connections: number;
  /** Reads certificates and tokens again now, and gives client certificates the roles of `clients`. */
  reload(clients: ApiConfig["clients"]): Promise<void>;
}

/** Of the listener. A body of the largest size takes a slow link less than the last but one. */
const listenerTimeouts = {
  handshakeTimeout: 5_000,
  headersTimeout: 5_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
};

/** No bytes either way: event streams carry a sign of life every 15 s. */
const idleMs = 60_000;

/** How long an event stream may outlive the token or certificate that it began with. */
const recheckMs = 1_000;

/** The event loop takes them one after the other, at up to a tenth of a millisecond each, before it does anything else. */
const backlog = 128;

const maxHeaderBytes = 8 * 1024;

/**
 * Serves the HTTP API over TLS 1.3 to callers with a bearer token or a client certificate. Certificates and tokens that
 * change on disk count soon afterwards.
 * @throws SojournError `SOJ_ADDRESS_IN_USE`, `SOJ_ADDRESS_UNUSABLE`, `SOJ_PKI_UNREADABLE`, `SOJ_PKI_INVALID`,
 * `SOJ_TOKENS_UNSAFE`, `SOJ_TOKENS_INVALID`, `SOJ_TOKENS_UNREADABLE`.
 */
export async function startTcpApi(options: TcpApiOptions): Promise<TcpApi> {
  const { config, logger, hostName, services, metrics = noMetrics, isGuestStanding } = options;
  await using stack = new AsyncDisposableStack();
  const refusals = stack.use(new Refusals(logger));
  const admission = new Admission(config.limits, (reason) => refusals.count(reason));
  const followers = new Followers(config.limits.maxFollowers);
  const files = stack.use(new CredentialFiles(config, logger, options.fileCheckMs));
  const { authenticator } = files;
  const context = await files.start();
  const guard = { authenticator, admission, followers, refusals, limits: config.limits };
  const tls = {
    ...context,
    ...clientAuthentication(config),
    ...listenerTimeouts,
    ...options.timeouts,
    maxHeaderSize: maxHeaderBytes,
    // The guard looks itself, and says what is wrong.
    requireHostHeader: false,
  };
  const app = await createApi({
    ...{ hostName, services, logger, metrics, isGuestStanding, authorize: authorizeCaller },
    extend: (api) => guardRequests(api, guard),
    server: {
      serverFactory: (handler: RequestListener) =>
        listener(new GuardedServer({ tls, admission, isGuestStanding, handler }), refusals),
    },
  });
  stack.defer(() => app.close());
  stack.defer(() => admission.closeAll());
  const server = app.server as unknown as GuardedServer;
  files.onChange = (changed) => {
    if (changed.tls !== null) server.setSecureContext(changed.tls);
    // Who was let in by an authority that does not count any more has to show again who it is.
    if (changed.isAuthorityNew) admission.closeAll();
    followers.recheck(authenticator);
  };
  const recheck = startInterval(() => followers.recheck(authenticator), recheckMs);
  stack.defer(() => recheck.cancel());
  const port = await listenTcp(app, options.listen, "HTTP API", backlog);
  const owned = stack.move();
  return {
    port,
    refused: refusals.totals,
    get connections() {
      return admission.count;
    },
    reload: (clients) => files.reload(clients),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function clientAuthentication({ clientCaPath }: ApiConfig) {
  // A caller without one may have a token: who it is is told request by request.
  return { requestCert: clientCaPath !== null, rejectUnauthorized: false };
}

function listener(server: GuardedServer, refusals: Refusals): GuardedServer {
  server.timeout = idleMs;
  server.maxHeadersCount = 64;
  // The guard answers "go on" once it knows that the body is wanted.
  server.on("checkContinue", (request, response) => server.emit("request", request, response));
  server.on("tlsClientError", (error: Error) => {
    refusals.count("tls", { error: error.message.slice(0, 200) });
  });
  return server;
}
