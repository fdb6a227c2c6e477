import { Agent } from "node:https";
import type { PeerCertificate } from "node:tls";
import { errorFromJson } from "../platform/error-record.ts";
import { SojournError } from "../platform/errors.ts";
import type { CallOptions, PeerCaller, ProcedureTable } from "../platform/procedures.ts";
import type { Endpoint } from "./config.ts";
import { exchange } from "./peer-exchange.ts";
import { hostNameOf } from "./peer-identity.ts";
import { readTlsFiles, type TlsFiles } from "./peer-tls.ts";

export interface PeerClientOptions<Table extends ProcedureTable> {
  /** The name that the server's certificate must carry. */
  peer: string;
  address: Endpoint;
  tls: TlsFiles;
  procedures: Table;
}

/** A peer's procedures over kept-alive mutual TLS 1.3. Disposing closes the connections. */
export type PeerClient<Table extends ProcedureTable> = PeerCaller<Table> & Disposable;

/**
 * Makes a client for one peer; nothing is sent until the first call. Calls throw what the peer threw, or
 * `SOJ_PEER_UNREACHABLE` (no answer: whether the peer acted is unknown once the request went out),
 * `SOJ_PEER_REFUSED` (TLS or identity, either way round), `SOJ_PEER_PROTOCOL` (an answer out of shape).
 * @throws SojournError `SOJ_PKI_UNREADABLE`.
 */
export async function createPeerClient<const Table extends ProcedureTable>(
  options: PeerClientOptions<Table>,
): Promise<PeerClient<Table>> {
  const agent = new Agent({
    ...(await readTlsFiles(options.tls)),
    keepAlive: true,
    maxSockets: 8,
    minVersion: "TLSv1.3",
    // A resumed session would skip the identity check.
    maxCachedSessions: 0,
    checkServerIdentity: (_host, certificate) => wrongIdentity(options.peer, certificate),
  });
  return {
    peer: options.peer,
    [Symbol.dispose]: () => agent.destroy(),
    async call(name, request, callOptions: CallOptions = {}) {
      const procedure = options.procedures[name] as Table[string];
      const reply = await exchange({
        agent,
        peer: options.peer,
        address: options.address,
        procedure: name,
        body: JSON.stringify(request),
        timeoutMs: callOptions.timeoutMs ?? procedure.timeoutMs ?? 10_000,
        ...(callOptions.signal === undefined ? {} : { signal: callOptions.signal }),
      });
      if (reply.status !== 200) {
        throw errorFromJson(reply.json, reply.status) ?? outOfShape(options.peer, name);
      }
      const response = procedure.response.safeParse(reply.json);
      if (!response.success) throw outOfShape(options.peer, name);
      // biome-ignore lint/suspicious/noExplicitAny: the table ties this schema to the declared result
      return response.data as any;
    },
  };
}

function wrongIdentity(peer: string, certificate: PeerCertificate): Error | undefined {
  const name = hostNameOf(certificate.subjectaltname);
  if (name === peer) return undefined;
  const error: NodeJS.ErrnoException = new Error(
    `the certificate there names ${name ?? "no host"}, not ${peer}`,
  );
  error.code = "ERR_TLS_CERT_ALTNAME_INVALID";
  return error;
}

function outOfShape(peer: string, procedure: string): SojournError {
  return new SojournError("SOJ_PEER_PROTOCOL", `${peer} answered ${procedure} out of shape`, {
    httpStatus: 502,
    hint: "run the same Sojourn version on both hosts",
  });
}
