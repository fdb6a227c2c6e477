import { X509Certificate } from "node:crypto";
import { chmod, copyFile, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { changeTokensFile } from "../../../src/daemon/access/tokens-file.ts";
import { issueHostCertificate } from "../../../src/daemon/pki.ts";
import type { DaemonServices } from "../../../src/daemon/services.ts";
import { delay } from "../../../src/platform/clock.ts";
import { eventsOf, fakeServices, phaseEvent } from "../../support/fake-services.ts";
import { createTestAuthority } from "../../support/host-certificates.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

let services: DaemonServices;
let server: TestTcpApi;

beforeEach(async () => {
  services = fakeServices({
    migrationEvents: async function* (_id, signal) {
      yield* eventsOf(phaseEvent);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  server = await TestTcpApi.start({ maxFollowers: 2 }, { services: () => services });
});
afterEach(() => server[Symbol.asyncDispose]());

describe("a token", () => {
  it("is accepted soon after it was made, and refused soon after it was revoked", async () => {
    const { tokensPath } = server.config;
    const before = await readFile(tokensPath, "utf8");
    const token = await server.addToken("late");
    expect(await statusOf(token)).toBe(200);
    await changeTokensFile(tokensPath, (all) => all.filter(({ name }) => name !== "late"));
    await eventually(async () => expect(await statusOf(token)).toBe(401));
    expect(await readFile(tokensPath, "utf8")).toBe(before);
  });

  it("that is revoked takes its event streams along; others go on", async () => {
    const token = await server.addToken("follower");
    const [cut, kept] = await Promise.all([follow(token), follow(server.tokens.read)]);
    const { tokensPath } = server.config;
    await changeTokensFile(tokensPath, (all) => all.filter(({ name }) => name !== "follower"));
    await closed(cut);
    expect(kept.destroyed).toBe(false);
    kept.destroy();
  });

  it("that expires takes its event streams along", async () => {
    const expires = new Date(Date.now() + 400).toISOString();
    await closed(await follow(await server.addToken("short", { expires })));
  });

  it("has so many event streams at once, and not one more", async () => {
    const { read } = server.tokens;
    const streams = await Promise.all([follow(read), follow(read)]);
    const path = "/v1/migrations/m1/events";
    const { status, json, headers } = await server.ask({ path, token: read });
    expect([status, json?.code]).toEqual([429, "SOJ_TOO_MANY_FOLLOWERS"]);
    expect(headers["retry-after"]).toBe("1");
    // Another caller has streams of its own.
    const other = await follow(server.tokens.operate);
    streams[0]?.destroy();
    await eventually(async () => (await follow(read)).destroy());
    for (const stream of [...streams, other]) stream.destroy();
  });

  it("is not accepted while its file is unsafe, until the file is mended", async () => {
    const { tokensPath } = server.config;
    await chmod(tokensPath, 0o644);
    await eventually(async () => expect(await statusOf(server.tokens.read)).toBe(401));
    await chmod(tokensPath, 0o600);
    await eventually(async () => expect(await statusOf(server.tokens.read)).toBe(200));
    await writeFile(tokensPath, "{");
    await eventually(async () => expect(await statusOf(server.tokens.read)).toBe(401));
  });
});

describe("a certificate", () => {
  it("that is renewed serves new connections, while older ones go on", async () => {
    const older = await follow(server.tokens.read);
    const before = await servedSerial();
    const renewed = await issueHostCertificate(server.authority, {
      ...{ name: "host-a", addresses: ["127.0.0.1"], outDir: join(server.folder, "renewed") },
    });
    // In two steps, as many programs do it: in between key and certificate do not belong together.
    await rename(renewed.keyPath, server.config.keyPath);
    await delay(60);
    expect(await servedSerial()).toBe(before);
    await rename(renewed.certificatePath, server.config.certificatePath);
    await eventually(async () => expect(await servedSerial()).not.toBe(before));
    expect(older.destroyed).toBe(false);
    older.destroy();
  });

  it("of a client is not accepted any more once its authority is another", async () => {
    const certificate = await server.issueClient("ansible");
    const socket = await follow(null, certificate);
    await using other = await createTestAuthority();
    await copyFile(join(other.folder, "ca.crt"), join(server.folder, "new-ca.crt"));
    await rename(join(server.folder, "new-ca.crt"), server.config.clientCaPath ?? "");
    await closed(socket);
    expect(server.api.connections).toBe(0);
  });

  it("of a client may be given another role while the daemon runs", async () => {
    const certificate = await server.issueClient("ansible");
    const start = { method: "POST", path: "/v1/guests/web1/start", certificate };
    expect((await server.ask(start)).status).toBe(200);
    await server.api.reload(new Map([["sojourn://client/ansible", "read"]]));
    expect((await server.ask(start)).status).toBe(403);
    await server.api.reload(new Map());
    expect((await server.ask(start)).json?.code).toBe("SOJ_NO_ROLE");
  });
});

describe("a listener that cannot be", () => {
  it.each([
    ["certificatePath", "SOJ_PKI_UNREADABLE"],
    ["keyPath", "SOJ_PKI_UNREADABLE"],
    ["clientCaPath", "SOJ_PKI_UNREADABLE"],
  ] as const)("for want of %s says so", async (key, code) => {
    const path = join(server.folder, "none.pem");
    const start = TestTcpApi.start({}, { config: { ...server.config, [key]: path } });
    await expect(start).rejects.toMatchObject({ code, exitCode: 3 });
    await expect(start).rejects.toThrow("none.pem");
  });

  it("says that a file is no certificate, or that the key is another one's", async () => {
    const noPem = join(server.folder, "no.pem");
    await writeFile(noPem, "nothing");
    const other = await server.issueClient("other");
    for (const change of [{ certificatePath: noPem }, { keyPath: other.keyPath }]) {
      const start = TestTcpApi.start({}, { config: { ...server.config, ...change } });
      await expect(start).rejects.toMatchObject({ code: "SOJ_PKI_INVALID", exitCode: 3 });
    }
  });

  it("says that its tokens' file is unsafe, or its address in use", async () => {
    const { config, api } = server;
    const taken = TestTcpApi.start({}, { listen: { address: "127.0.0.1", port: api.port } });
    await expect(taken).rejects.toMatchObject({ code: "SOJ_ADDRESS_IN_USE", exitCode: 3 });
    await expect(taken).rejects.toThrow("HTTP API");
    await chmod(config.tokensPath, 0o666);
    const unsafe = TestTcpApi.start({}, { config });
    await expect(unsafe).rejects.toMatchObject({ code: "SOJ_TOKENS_UNSAFE", exitCode: 3 });
    await rm(config.tokensPath);
  });
});

async function statusOf(token: string): Promise<number> {
  return (await server.ask({ path: "/v1/guests", token })).status;
}

/** An event stream whose first event has come. */
async function follow(
  token: string | null,
  certificate?: Parameters<TestTcpApi["tlsOptions"]>[0],
): Promise<TLSSocket> {
  const socket = await server.connect(server.tlsOptions(certificate));
  const authorization = token === null ? "" : `Authorization: Bearer ${token}\r\n`;
  socket.write(`GET /v1/migrations/m1/events HTTP/1.1\r\nHost: x\r\n${authorization}\r\n`);
  let heard = "";
  await new Promise<void>((resolve, reject) => {
    socket.on("data", (data) => {
      heard += data;
      if (heard.includes('"phase"')) resolve();
    });
    socket.on("close", () => reject(new Error(`no event: ${heard}`)));
  });
  socket.on("error", () => {});
  return socket;
}

function closed(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once("close", () => resolve());
  });
}

async function servedSerial(): Promise<string> {
  const socket = await server.connect();
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return new X509Certificate(raw).serialNumber;
}

/** Tries again until it does not fail any more; the daemon looks at its files now and then. */
async function eventually(attempt: () => Promise<unknown>): Promise<void> {
  for (let left = 200; ; left -= 1) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (left === 0) throw error;
      await delay(20);
    }
  }
}
