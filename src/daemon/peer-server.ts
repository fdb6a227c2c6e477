import type { Server as HttpsServer } from "node:https";
import type { TLSSocket } from "node:tls";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { preconditionError, SojournError, usageError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import type { PeerContext, ProcedureHandlers, ProcedureTable } from "../platform/procedures.ts";
import { maxPeerBodyBytes } from "./api/limits.ts";
import type { Endpoint } from "./config.ts";
import { frameworkErrors, replyWithErrorRecords } from "./http-errors.ts";
import { listenTcp } from "./listen.ts";
import { addressesOf, hostNameOf } from "./peer-identity.ts";
import { readTlsFiles, type TlsFiles } from "./peer-tls.ts";

export interface PeerServerOptions<Table extends ProcedureTable> {
  tls: TlsFiles;
  listen: Endpoint;
  /** Names of the hosts that may call. */
  peers: ReadonlySet<string>;
  procedures: Table;
  /** Asked at every call; throws while the daemon is starting. */
  handlers: () => ProcedureHandlers<Table>;
  logger: Logger;
}

/** The running peer API. Disposing stops it; calls under way are cut after a short grace. */
export interface PeerServer extends AsyncDisposable {
  readonly port: number;
  /** Connections refused in the TLS handshake, and requests refused because of who asked. */
  readonly refused: { tls: number; identity: number };
}

/**
 * Serves `POST /peer/v1/PROCEDURE` over mutual TLS 1.3. Who calls is told by its certificate's URI SAN alone.
 * @throws SojournError `SOJ_ADDRESS_IN_USE`, `SOJ_ADDRESS_UNUSABLE`, `SOJ_PKI_UNREADABLE`.
 */
export async function startPeerServer<Table extends ProcedureTable>(
  options: PeerServerOptions<Table>,
): Promise<PeerServer> {
  const refused = { tls: 0, identity: 0 };
  const app: FastifyInstance<HttpsServer> = fastify<HttpsServer>({
    https: {
      ...(await readTlsFiles(options.tls)),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.3",
      handshakeTimeout: 10_000,
    },
    bodyLimit: maxPeerBodyBytes,
    forceCloseConnections: true,
    keepAliveTimeout: 60_000,
    logger: false,
    frameworkErrors,
  });
  app.server.on("tlsClientError", (error, socket) => {
    refused.tls += 1;
    const from = socket.remoteAddress;
    options.logger.warn({ from, reason: error.message }, "peer connection refused by TLS");
  });
  app.addHook("onRequest", async (request) => {
    const name = callerOf(request)?.peer ?? null;
    if (name !== null && options.peers.has(name)) return;
    refused.identity += 1;
    options.logger.warn({ from: request.ip, name }, "peer request refused: not a configured peer");
    throw notAPeer(name);
  });
  replyWithErrorRecords(app, options.logger);
  app.post<{ Params: { procedure: string } }>("/peer/v1/:procedure", (request) =>
    serve(options, request.params.procedure, request),
  );
  const port = await listenTcp(app, options.listen, "peer API");
  return { port, refused, [Symbol.asyncDispose]: () => app.close() };
}

async function serve<Table extends ProcedureTable>(
  options: PeerServerOptions<Table>,
  name: string,
  request: FastifyRequest,
): Promise<unknown> {
  if (!Object.hasOwn(options.procedures, name)) {
    throw new SojournError("SOJ_UNKNOWN_PROCEDURE", `there is no procedure ${name.slice(0, 60)}`, {
      httpStatus: 404,
      hint: "run the same Sojourn version on both hosts",
    });
  }
  const procedure = options.procedures[name] as Table[string];
  const body = procedure.request.safeParse(request.body ?? {});
  if (!body.success) {
    const issue = body.error.issues[0];
    throw usageError(`${name}: ${issue?.path.join(".") ?? ""}: ${issue?.message}`.slice(0, 300));
  }
  const caller = callerOf(request);
  if (caller === null) throw notAPeer(null);
  return options.handlers()[name as keyof Table]?.(body.data as never, caller);
}

function callerOf(request: FastifyRequest): PeerContext | null {
  const socket = request.raw.socket as TLSSocket;
  if (socket.authorized !== true) return null;
  const { subjectaltname } = socket.getPeerCertificate();
  const peer = hostNameOf(subjectaltname);
  return peer === null ? null : { peer, addresses: addressesOf(subjectaltname) };
}

function notAPeer(name: string | null): SojournError {
  const who = name === null ? "the caller's certificate names no host" : `${name} is not a peer`;
  return preconditionError("SOJ_PEER_REFUSED", `${who} of this host`, {
    httpStatus: 403,
    hint: "add it to [peers] in this host's sojourn.toml",
  });
}
