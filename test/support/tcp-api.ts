import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { ApiConfig } from "../../src/daemon/access/config.ts";
import { startTcpApi, type TcpApi, type TcpApiOptions } from "../../src/daemon/access/tcp-api.ts";
import { hashToken, newToken, type TokenEntry } from "../../src/daemon/access/tokens.ts";
import { changeTokensFile } from "../../src/daemon/access/tokens-file.ts";
import { type Role, roles } from "../../src/daemon/api/api.ts";
import {
  type IssuedCertificate,
  initCertificateAuthority,
  issueClientCertificate,
  issueHostCertificate,
} from "../../src/daemon/pki.ts";
import { createLogger } from "../../src/platform/log.ts";
import { fakeServices } from "./fake-services.ts";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Null when it is no JSON. */
  json: Record<string, unknown> | null;
}

export interface Question {
  path: string;
  method?: string;
  token?: string;
  certificate?: IssuedCertificate;
  headers?: Record<string, string>;
  body?: string;
}

/** The real API on a TCP port of loopback, with a real authority, tokens of each role and clients. */
export class TestTcpApi implements AsyncDisposable {
  readonly folder: string;
  readonly authority: string;
  readonly host: IssuedCertificate;
  readonly config: ApiConfig;
  readonly api: TcpApi;
  readonly tokens: Record<Role, string>;

  static async start(
    changes: Partial<ApiConfig["limits"]> = {},
    options: Partial<TcpApiOptions> = {},
  ): Promise<TestTcpApi> {
    const folder = await mkdtemp(join(tmpdir(), "sojourn-tcp-"));
    try {
      return await TestTcpApi.#startIn(folder, changes, options);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  static async #startIn(
    folder: string,
    changes: Partial<ApiConfig["limits"]>,
    options: Partial<TcpApiOptions>,
  ): Promise<TestTcpApi> {
    const { caPath } = await initCertificateAuthority(join(folder, "ca"));
    const host = await issueHostCertificate(join(folder, "ca"), {
      name: "host-a",
      addresses: ["127.0.0.1"],
    });
    const tokensPath = join(folder, "tokens.json");
    const made = roles.map((role) => [role, newToken()] as const);
    await changeTokensFile(tokensPath, () => made.map(([role, token]) => entryOf(role, token)));
    const config: ApiConfig = {
      ...{ listen: null, socketGroup: null, tokensPath },
      certificatePath: host.certificatePath,
      keyPath: host.keyPath,
      clientCaPath: caPath,
      clients: new Map([["sojourn://client/ansible", "operate"]]),
      limits: { ...generousLimits, ...changes },
    };
    const api = await startTcpApi({
      hostName: "host-a",
      services: () => fakeServices(),
      logger: createLogger("silent"),
      listen: { address: "127.0.0.1", port: 0 },
      isGuestStanding: () => false,
      fileCheckMs: 20,
      config,
      ...options,
    });
    return new TestTcpApi(folder, host, config, api, Object.fromEntries(made));
  }

  private constructor(
    folder: string,
    host: IssuedCertificate,
    config: ApiConfig,
    api: TcpApi,
    tokens: Record<string, string>,
  ) {
    this.folder = folder;
    this.authority = join(folder, "ca");
    this.host = host;
    this.config = config;
    this.api = api;
    this.tokens = tokens as Record<Role, string>;
  }

  issueClient(name: string, validityDays = 1): Promise<IssuedCertificate> {
    return issueClientCertificate(this.authority, { name, validityDays });
  }

  /** Adds a token that `change` may make another. */
  async addToken(name: string, change: Partial<TokenEntry> = {}): Promise<string> {
    const token = newToken();
    const entry = { ...entryOf(name, token), role: "read" as const, ...change };
    await changeTokensFile(this.config.tokensPath, (tokens) => [...tokens, entry]);
    await this.api.reload(this.config.clients);
    return token;
  }

  /** One request on a connection of its own. */
  ask({ path, method = "GET", token, certificate, headers = {}, body }: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request({
        ...{ ...this.tlsOptions(certificate), path, method, agent: false },
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
      });
      sent.on("response", async (response) => {
        response.on("error", reject);
        const text = await textOf(response);
        const status = response.statusCode ?? 0;
        resolve({ status, headers: response.headers, text, json: jsonOf(text) });
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  /** A TLS connection for bytes of the test's own. */
  connect(options: ConnectionOptions = {}): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ ...this.tlsOptions(), ...options }, () => resolve(socket));
      socket.once("error", reject);
    });
  }

  tlsOptions(certificate?: IssuedCertificate) {
    return {
      ...{ host: "127.0.0.1", port: this.api.port },
      ca: readFileSync(join(this.authority, "ca.crt")),
      ...(certificate === undefined
        ? {}
        : {
            cert: readFileSync(certificate.certificatePath),
            key: readFileSync(certificate.keyPath),
          }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const generousLimits = {
  maxConnections: 512,
  maxConnectionsPerAddress: 256,
  maxConnectionsPerCaller: 256,
  handshakesPerSecond: 10_000,
  requestsPerSecond: 10_000,
  requestsPerSecondPerAddress: 10_000,
  maxFollowers: 32,
};

function entryOf(name: string, token: string): TokenEntry {
  const role = roles.find((one) => one === name) ?? "read";
  return { name, role, sha256: hashToken(token), created: "2026-01-01T00:00:00Z", expires: null };
}

/** Of an event stream nothing: it may never end. */
async function textOf(response: IncomingMessage): Promise<string> {
  if (response.headers["content-type"]?.startsWith("text/event-stream")) {
    response.destroy();
    return "";
  }
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function jsonOf(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
