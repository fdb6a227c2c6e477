import { z } from "zod";
import { namePattern } from "../../platform/names.ts";
import { type Role, roles } from "../api/api.ts";
import type { Endpoint } from "../config.ts";
import { absolutePath } from "../config-values.ts";
import type { ConnectionLimits } from "./admission.ts";
import { identityPattern, identityUri } from "./client-identity.ts";

/** Who reaches the API over TCP, and what one caller may use of this host. */
export interface ApiConfig {
  /** Null: the API is on the unix socket alone. */
  listen: Endpoint | null;
  certificatePath: string;
  keyPath: string;
  /** Null: certificates of clients are not asked for. */
  clientCaPath: string | null;
  /** Roles by URI SAN. */
  clients: ReadonlyMap<string, Role>;
  tokensPath: string;
  /** Group of the unix socket; null: root's. */
  socketGroup: string | null;
  limits: ApiLimits;
}

export interface ApiLimits extends ConnectionLimits {
  /** Of one token or client certificate. */
  requestsPerSecond: number;
  requestsPerSecondPerAddress: number;
  /** Event streams of one token or client certificate that are open at once. */
  maxFollowers: number;
}

/** Where tokens are unless the configuration names another file. */
const defaultTokensPath = "/etc/sojourn/api-tokens.json";

/**
 * The section `[api]` of the configuration.
 * @param endpoint schema of `ADDRESS:PORT`.
 */
export function apiSection(endpoint: z.ZodType<string>) {
  const identity = z
    .string()
    .regex(identityPattern, "neither a client's name nor the URI in its certificate");
  return z
    .strictObject({
      listen: endpoint
        .optional()
        .describe("ADDRESS:PORT of the HTTP API, TLS 1.3; without it no TCP"),
      certificate: absolutePath
        .optional()
        .describe("certificate of the API, PEM with its chain; by default that of [peer_api]"),
      key: absolutePath.optional().describe("its private key; by default that of [peer_api]"),
      client_ca: absolutePath
        .optional()
        .describe("authority whose client certificates are accepted; without it none are"),
      clients: z
        .record(identity, z.enum(roles))
        .default({})
        .describe("role (read, operate or admin) by client name, or by the certificate's URI SAN"),
      tokens_file: absolutePath
        .default(defaultTokensPath)
        .describe("bearer tokens, written by sojourn token; root's own, mode 0600"),
      socket_group: z
        .string()
        .regex(namePattern, "not a group")
        .optional()
        .describe("group that may use the unix socket, as admin; without it root's"),
      max_connections: z.int().min(8).max(20_000).default(512).describe("TCP connections at once"),
      max_connections_per_address: z
        .int()
        .min(4)
        .max(20_000)
        .default(256)
        .describe("TCP connections at once from one IPv4 address or IPv6 /64"),
      max_connections_per_caller: z
        .int()
        .min(4)
        .max(20_000)
        .optional()
        .describe(
          "TCP connections at once of one token or client certificate; by default half of max_connections",
        ),
      handshakes_per_second: z
        .int()
        .min(1)
        .max(100_000)
        .default(300)
        .describe("TLS handshakes a second; new connections beyond that are closed"),
      requests_per_second: z
        .int()
        .min(1)
        .max(100_000)
        .default(200)
        .describe("requests a second of one token or client certificate"),
      requests_per_second_per_address: z
        .int()
        .min(1)
        .max(100_000)
        .default(400)
        .describe("requests a second from one IPv4 address or IPv6 /64, whoever asks"),
      max_followers: z
        .int()
        .min(1)
        .max(10_000)
        .default(32)
        .describe("event streams of one token or client certificate at once"),
    })
    .refine((api) => (api.certificate === undefined) === (api.key === undefined), {
      path: ["certificate"],
      message: "certificate and key come together",
    })
    .refine((api) => api.client_ca !== undefined || Object.keys(api.clients).length === 0, {
      path: ["clients"],
      message: "are known by their certificates: client_ca is missing",
    });
}

type ApiSection = z.output<ReturnType<typeof apiSection>>;

/** @param host the host's own certificate, for an API that has none of its own. */
export function apiConfig(
  section: ApiSection,
  parseEndpoint: (text: string) => Endpoint,
  host: { certificatePath: string; keyPath: string },
): ApiConfig {
  return {
    listen: section.listen === undefined ? null : parseEndpoint(section.listen),
    certificatePath: section.certificate ?? host.certificatePath,
    keyPath: section.key ?? host.keyPath,
    clientCaPath: section.client_ca ?? null,
    clients: new Map(
      Object.entries(section.clients).map(([name, role]) => [identityUri(name), role]),
    ),
    tokensPath: section.tokens_file,
    socketGroup: section.socket_group ?? null,
    limits: {
      maxConnections: section.max_connections,
      maxConnectionsPerAddress: section.max_connections_per_address,
      maxConnectionsPerCaller:
        section.max_connections_per_caller ?? Math.floor(section.max_connections / 2),
      handshakesPerSecond: section.handshakes_per_second,
      requestsPerSecond: section.requests_per_second,
      requestsPerSecondPerAddress: section.requests_per_second_per_address,
      maxFollowers: section.max_followers,
    },
  };
}
