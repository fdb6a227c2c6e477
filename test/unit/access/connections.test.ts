import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TestTcpApi } from "../../support/tcp-api.ts";

const addresses = ["127.0.0.2", "127.0.0.3"];

let server: TestTcpApi;

beforeEach(async () => {
  server = await TestTcpApi.start({
    ...{ maxConnections: 12, maxConnectionsPerAddress: 12, maxConnectionsPerCaller: 6 },
  });
});
afterEach(() => server[Symbol.asyncDispose]());

it("a caller has so many connections, from all its addresses together; others are served beside it", async () => {
  const kept = await Promise.all(Array.from({ length: 6 }, (_, index) => open(index)));
  for (const socket of kept) expect(await ask(socket, "read")).toMatch(/^HTTP\/1\.1 200 /);
  const refused = await ask(await open(0), "read");
  expect(refused).toMatch(/^HTTP\/1\.1 429 /);
  expect(refused).toMatch(/\r\nconnection: close\r\n/i);
  expect(refused).toMatch(/\r\nretry-after: 1\r\n/i);
  expect(refused).toContain('"code":"SOJ_TOO_MANY_CONNECTIONS"');
  expect(server.api.refused.get("429")).toBe(1);
  // Those that it has go on, and whoever else comes is let in.
  expect(await ask(kept[0] as TLSSocket, "read")).toMatch(/^HTTP\/1\.1 200 /);
  expect(await ask(await open(0), "operate")).toMatch(/^HTTP\/1\.1 200 /);
  expect(await ask(await open(1, await server.issueClient("ansible")), null)).toMatch(/ 200 /);
  for (const socket of kept) socket.destroy();
});

it("connections on which a known address says nothing make room for others", async () => {
  expect(await ask(await open(0), "read")).toMatch(/ 200 /);
  expect(await ask(await open(1), "read")).toMatch(/ 200 /);
  const silent = await Promise.all(Array.from({ length: 10 }, (_, index) => open(index)));
  expect(server.api.connections).toBe(12);
  let last = "";
  await expect
    .poll(async () => {
      last = await open(0).then(
        (socket) => ask(socket, "operate"),
        (error: Error) => error.message,
      );
      return last;
    })
    .toMatch(/ 200 /);
  expect(server.api.refused.get("unidentified")).toBeGreaterThan(0);
  for (const socket of silent) socket.destroy();
});

function open(
  index: number,
  certificate?: Parameters<TestTcpApi["tlsOptions"]>[0],
): Promise<TLSSocket> {
  const localAddress = addresses[index % addresses.length] as string;
  const options = { ...server.tlsOptions(certificate), localAddress };
  return server.connect(options as Parameters<TestTcpApi["connect"]>[0]);
}

/** Head and body of the answer to one request on this connection. */
async function ask(socket: TLSSocket, role: "read" | "operate" | null): Promise<string> {
  const authorization = role === null ? "" : `Authorization: Bearer ${server.tokens[role]}\r\n`;
  socket.on("error", () => {});
  socket.write(`GET /v1/guests HTTP/1.1\r\nHost: x\r\n${authorization}\r\n`);
  let heard = "";
  for (;;) {
    heard += await next(socket);
    const length = /\r\ncontent-length: (\d+)\r\n/i.exec(heard)?.[1];
    const body = heard.split("\r\n\r\n").slice(1).join("\r\n\r\n");
    if (length !== undefined && Buffer.byteLength(body) >= Number(length)) return heard;
  }
}

function next(socket: TLSSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error("closed without an answer"));
    socket.once("close", onClose);
    socket.once("data", (data) => {
      socket.off("close", onClose);
      resolve(String(data));
    });
  });
}
