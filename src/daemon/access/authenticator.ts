import type { IncomingHttpHeaders } from "node:http";
import type { TLSSocket } from "node:tls";
import { wallClockMs } from "../../platform/clock.ts";
import { ExitCode, SojournError } from "../../platform/errors.ts";
import type { Role } from "../api/api.ts";
import type { Caller } from "./caller.ts";
import { uriIdentityOf } from "./client-identity.ts";
import { isExpired, TokenTable } from "./tokens.ts";

/** What tells who asks. */
export interface Credentials {
  tokens: TokenTable;
  /** Roles by the URI SAN of a client certificate. */
  clients: ReadonlyMap<string, Role>;
}

/** A request as far as it tells who makes it. */
export interface Asked {
  headers: IncomingHttpHeaders;
  socket: unknown;
}

/** Knows callers by bearer token (RFC 6750) or, without one, by the client certificate of their connection. */
export class Authenticator {
  #credentials: Credentials = { tokens: new TokenTable([]), clients: new Map() };
  /** A certificate is the same for as long as its connection. */
  readonly #certificates = new WeakMap<object, { uri: string; expiresMs: number }>();

  /** From now on these count, also for connections that are open. */
  replace(credentials: Credentials): void {
    this.#credentials = credentials;
  }

  /** @throws SojournError with HTTP status 401. */
  identify({ headers, socket }: Asked): Caller {
    const { authorization } = headers;
    if (authorization !== undefined) return this.#byToken(authorization);
    return this.#byCertificate(socket as TLSSocket);
  }

  #byToken(authorization: string): Caller {
    const shown = /^bearer +([A-Za-z0-9._~+/-]{1,200}=*)$/i.exec(authorization)?.[1];
    const entry = shown === undefined ? null : this.#credentials.tokens.find(shown);
    if (entry === null) {
      throw refusal("SOJ_TOKEN_REFUSED", "the token is not known here", newTokenHint);
    }
    if (isExpired(entry, wallClockMs())) {
      const message = `the token ${entry.name} ended at ${entry.expires}`;
      throw refusal("SOJ_TOKEN_EXPIRED", message, newTokenHint);
    }
    const expiresMs = entry.expires === null ? null : Date.parse(entry.expires);
    return { name: `token:${entry.name}`, role: entry.role, expiresMs };
  }

  #byCertificate(socket: TLSSocket): Caller {
    const { uri, expiresMs } = this.#certificates.get(socket) ?? certificateOf(socket);
    this.#certificates.set(socket, { uri, expiresMs });
    if (expiresMs <= wallClockMs()) throw certificateRefused("it has expired");
    const role = this.#credentials.clients.get(uri) ?? null;
    return { name: `certificate:${uri}`, role, expiresMs };
  }
}

/** @throws SojournError `SOJ_UNAUTHENTICATED`, `SOJ_CERTIFICATE_REFUSED`. */
function certificateOf(socket: TLSSocket): { uri: string; expiresMs: number } {
  const certificate = socket.getPeerCertificate?.();
  if (certificate === null || certificate === undefined || !certificate.raw) {
    throw refusal(
      "SOJ_UNAUTHENTICATED",
      "a bearer token or a client certificate is needed",
      "sojourn token create NAME --role ROLE on the host, then --token-file FILE, or over HTTP the header Authorization: Bearer TOKEN",
    );
  }
  if (!socket.authorized) throw certificateRefused(String(socket.authorizationError));
  const uri = uriIdentityOf(certificate.subjectaltname);
  if (uri === null) throw certificateRefused("it has not exactly one URI SAN");
  return { uri, expiresMs: Date.parse(certificate.valid_to) };
}

function certificateRefused(reason: string): SojournError {
  return refusal(
    "SOJ_CERTIFICATE_REFUSED",
    `the client certificate is not accepted: ${reason.slice(0, 100)}`,
    "sojourn pki issue NAME --client makes one; [api] client_ca names its authority",
  );
}

const newTokenHint =
  "sojourn token create NAME --role ROLE on the host makes one; it is known there within a second";

function refusal(code: `SOJ_${string}`, message: string, hint: string): SojournError {
  return new SojournError(code, message, {
    exitCode: ExitCode.precondition,
    httpStatus: 401,
    hint,
  });
}
