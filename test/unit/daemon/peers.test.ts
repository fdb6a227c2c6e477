import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { connect } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { createPeerClient } from "../../../src/daemon/peer-client.ts";
import { type PeerServer, startPeerServer } from "../../../src/daemon/peer-server.ts";
import type { IssuedCertificate } from "../../../src/daemon/pki.ts";
import { preconditionError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { definePeerProcedures } from "../../../src/platform/procedures.ts";
import { createTestAuthority, type TestAuthority } from "../../support/host-certificates.ts";

const procedures = definePeerProcedures({
  add: { request: z.strictObject({ a: z.number(), b: z.number() }), response: z.number() },
  refuse: { request: z.strictObject({}), response: z.null() },
  wait: { request: z.strictObject({}), response: z.null() },
  big: { request: z.strictObject({ text: z.string() }), response: z.string() },
});

let authority: TestAuthority;
let otherAuthority: TestAuthority;
let server: PeerServer;
let callers: string[];

beforeAll(async () => {
  authority = await createTestAuthority("host-a", "host-b", "stranger");
  otherAuthority = await createTestAuthority("host-b");
});
afterAll(async () => {
  await authority[Symbol.asyncDispose]();
  await otherAuthority[Symbol.asyncDispose]();
});

beforeEach(async () => {
  callers = [];
  server = await startPeerServer({
    tls: certificateOf("host-a"),
    listen: { address: "127.0.0.1", port: 0 },
    peers: new Set(["host-b"]),
    logger: createLogger("silent"),
    procedures,
    handlers: () => ({
      add: async ({ a, b }, { peer }) => {
        callers.push(peer);
        return a + b;
      },
      refuse: async () => {
        throw preconditionError("SOJ_GUEST_BUSY", "web1 is moving", { hint: "wait" });
      },
      wait: () => new Promise<null>(() => {}),
      big: async () => "x".repeat(2 * 1024 * 1024),
    }),
  });
});
afterEach(() => server[Symbol.asyncDispose]());

describe("peer calls", () => {
  it("reach a known host, which learns the caller's name", async () => {
    using client = await clientOf(certificateOf("host-b"));
    expect(await client.call("add", { a: 1, b: 2 })).toBe(3);
    expect(await client.call("add", { a: 3, b: 4 })).toBe(7);
    expect(callers).toEqual(["host-b", "host-b"]);
    expect(server.refused).toEqual({ tls: 0, identity: 0 });
  });

  it("throw here what was thrown there", async () => {
    using client = await clientOf(certificateOf("host-b"));
    await expect(client.call("refuse", {})).rejects.toMatchObject({
      code: "SOJ_GUEST_BUSY",
      message: "web1 is moving",
      hint: "wait",
      exitCode: 3,
      httpStatus: 409,
    });
  });

  it("are bounded in time and size, and end with their signal", async () => {
    using client = await clientOf(certificateOf("host-b"));
    await expect(client.call("wait", {}, { timeoutMs: 50 })).rejects.toMatchObject({
      code: "SOJ_PEER_UNREACHABLE",
      retryable: true,
    });
    const reason = new Error("not any more");
    await expect(client.call("wait", {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    await expect(client.call("big", { text: "y" })).rejects.toMatchObject({
      code: "SOJ_PEER_UNREACHABLE",
    });
    await expect(client.call("big", { text: "y".repeat(600_000) })).rejects.toMatchObject({
      code: "SOJ_BODY_TOO_LARGE",
    });
  });

  it("refuse a request out of shape", async () => {
    using client = await clientOf(certificateOf("host-b"));
    const wrong = { a: "one", b: 2 } as unknown as { a: number; b: number };
    await expect(client.call("add", wrong)).rejects.toMatchObject({ exitCode: 2, httpStatus: 400 });
    expect(callers).toEqual([]);
  });

  it("tell a host that does not answer from one that refuses", async () => {
    const port = await unusedPort();
    const client = await createPeerClient({
      peer: "host-a",
      address: { address: "127.0.0.1", port },
      tls: certificateOf("host-b"),
      procedures,
    });
    using _closed = client;
    await expect(client.call("add", { a: 1, b: 2 })).rejects.toMatchObject({
      code: "SOJ_PEER_UNREACHABLE",
      exitCode: 3,
      retryable: true,
    });
  });
});

describe("mutual TLS", () => {
  it("refuses a caller without a certificate", async () => {
    await expect(rawRequest({})).rejects.toThrow(/certificate required/i);
    expect(server.refused.tls).toBe(1);
    expect(callers).toEqual([]);
  });

  it("refuses a caller of another authority", async () => {
    const { certificatePath, keyPath } = otherAuthority.hosts["host-b"] as IssuedCertificate;
    const mixed = { certificatePath, keyPath, caPath: certificateOf("host-a").caPath };
    using client = await clientOf(mixed);
    await expect(client.call("add", { a: 1, b: 2 })).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining("does not trust this host's certificate"),
    });
    expect(server.refused.tls).toBe(1);
    expect(callers).toEqual([]);
  });

  it("refuses a host of the same authority that is not a peer", async () => {
    using client = await clientOf(certificateOf("stranger"));
    await expect(client.call("add", { a: 1, b: 2 })).rejects.toMatchObject({
      code: "SOJ_PEER_REFUSED",
      httpStatus: 403,
    });
    expect(server.refused).toEqual({ tls: 0, identity: 1 });
    expect(callers).toEqual([]);
  });

  it("refuses to talk to a server that is another host, or of another authority", async () => {
    using wrongName = await clientOf(certificateOf("host-b"), "stranger");
    await expect(wrongName.call("add", { a: 1, b: 2 })).rejects.toMatchObject({
      code: "SOJ_PEER_REFUSED",
      message: expect.stringContaining("names host-a, not stranger"),
    });
    using wrongAuthority = await clientOf(otherAuthority.hosts["host-b"] as IssuedCertificate);
    await expect(wrongAuthority.call("add", { a: 1, b: 2 })).rejects.toMatchObject({
      code: "SOJ_PEER_REFUSED",
    });
    expect(callers).toEqual([]);
  });

  it("refuses TLS 1.2", async () => {
    const { certificatePath, keyPath } = certificateOf("host-b");
    const cert = await readFile(certificatePath);
    const key = await readFile(keyPath);
    await expect(rawRequest({ cert, key, maxVersion: "TLSv1.2" })).rejects.toThrow(/version/i);
    expect(server.refused.tls).toBe(1);
  });
});

function certificateOf(host: string): IssuedCertificate {
  return authority.hosts[host] as IssuedCertificate;
}

function clientOf(tls: IssuedCertificate, peer = "host-a") {
  const address = { address: "127.0.0.1", port: server.port };
  return createPeerClient({ peer, address, tls, procedures });
}

/** What a TLS client without our manners gets; rejects with the socket's error. */
async function rawRequest(options: { cert?: Buffer; key?: Buffer; maxVersion?: "TLSv1.2" }) {
  const ca = await readFile(certificateOf("host-a").caPath);
  return new Promise<string>((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: server.port, ca, ...options });
    socket.on("error", reject);
    socket.on("data", (data) => resolve(data.toString()));
    socket.on("close", () => reject(new Error("closed without an answer")));
    socket.write("POST /peer/v1/add HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
  });
}

function unusedPort(): Promise<number> {
  return new Promise((resolve) => {
    const holder = createServer().listen(0, "127.0.0.1", () => {
      const { port } = holder.address() as { port: number };
      holder.close(() => resolve(port));
    });
  });
}
