import { connect } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DaemonServices } from "../../../src/daemon/services.ts";
import { delay, monotonicMs } from "../../../src/platform/clock.ts";
import { namePattern } from "../../../src/platform/names.ts";
import { fakeServices, guest, status } from "../../support/fake-services.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

const timeouts = {
  handshakeTimeout: 300,
  headersTimeout: 300,
  requestTimeout: 600,
  connectionsCheckingInterval: 50,
};

/** Guests that were started, and names that services were asked for. */
let started: string[];
let asked: string[];
let server: TestTcpApi;

beforeAll(async () => {
  const services = countingServices();
  server = await TestTcpApi.start({}, { timeouts, services: () => services });
});
beforeEach(() => {
  started = [];
  asked = [];
});
afterAll(() => server[Symbol.asyncDispose]());

describe("a body", () => {
  const path = "/v1/migrations";

  it("of ten megabytes is refused without being read, however it is announced", async () => {
    const body = "x".repeat(10_000_000);
    for (const announced of [{}, { "transfer-encoding": "chunked" }]) {
      const headers: Record<string, string> = announced;
      const question = { method: "POST", path, token: server.tokens.operate, headers, body };
      const answer = await server.ask(question).catch((error: Error) => error.message);
      // A sender that does not listen while it sends may see the reset first.
      if (typeof answer === "string") expect(answer).toMatch(/ECONNRESET|EPIPE/);
      else expect(answer).toMatchObject({ status: 413, json: { code: "SOJ_BODY_TOO_LARGE" } });
    }
    const head = "POST /v1/migrations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    const authorization = `Authorization: Bearer ${server.tokens.operate}\r\n`;
    const replies = await raw(`${head}${authorization}Content-Length: 10000000\r\n\r\n{`);
    expect(replies).toMatch(/^HTTP\/1.1 413 .*connection: close/s);
    expect(await raw(`${head}Content-Length: 10000000\r\n\r\n{`)).toMatch("HTTP/1.1 401");
  });

  it("is not asked for before the caller is known", async () => {
    const head = "POST /v1/migrations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n";
    const type = "Content-Type: application/json\r\nContent-Length: 2\r\n";
    expect(await raw(`${head}${type}\r\n`)).toMatch(/^HTTP\/1.1 401/);
    const authorization = `Authorization: Bearer ${server.tokens.operate}\r\n`;
    expect(await raw(`${head}${type}${authorization}\r\n`)).toMatch(/^HTTP\/1.1 100 Continue/);
  });

  it.each([
    ["nothing of JSON", "guest=web1", 400],
    ["half of JSON", '{"guest":"web1"', 400],
    ["a prototype", '{"__proto__":{"guest":"web1"},"guest":"web1","to":"b"}', 400],
    ["deep nesting", `${"[".repeat(20_000)}${"]".repeat(20_000)}`, 400],
    ["another shape", "[]", 400],
    ["a number too large", '{"guest":"web1","to":"b","timeout_s":1e999}', 400],
    ["a name that leads elsewhere", '{"guest":"../../etc/passwd","to":"b"}', 400],
    ["broken UTF-16", '{"guest":"\\ud800","to":"b"}', 400],
  ])("with %s is refused", async (_what, body, expected) => {
    const answer = await server.ask({ method: "POST", path, token: server.tokens.operate, body });
    expect(answer.status).toBe(expected);
    expect(answer.headers["content-type"]).toMatch("application/problem+json");
    expect(asked).toEqual([]);
  });

  it("that cannot be read is answered with what was expected, and where that is written", async () => {
    const question = { method: "POST", path, token: server.tokens.operate, body: "guest=web1" };
    expect(await server.ask(question)).toMatchObject({
      ...{ status: 400, json: { code: "SOJ_USAGE", hint: aboutBodies } },
    });
  });

  it("of another media type is refused", async () => {
    const headers = { "content-type": "text/plain" };
    const question = { method: "POST", path, token: server.tokens.operate, headers, body: "{}" };
    expect(await server.ask(question)).toMatchObject({ status: 415, json: { hint: aboutBodies } });
  });
});

const aboutBodies = expect.stringMatching(/JSON object.*application\/json.*\/docs.*docs\/api\.md/);

describe("a name in the path", () => {
  const odd = [
    ...[
      "..%2f..%2fetc%2fpasswd",
      "%2e%2e%2fx",
      "..%252fx",
      "%00",
      "a%00b",
      "..%5cx",
      "%c0%ae%c0%ae",
    ],
    ...["a%2fb", "%", "%zz", "a%20b", "a;b", "-rf", "$(id)", "%0d%0aX:y", "a".repeat(64), "%ff"],
    ...["%F0%9F%98%80", "..;", ".", "a%3Fb", "a%23b", "a".repeat(101), "a".repeat(3000)],
  ];

  it.each([
    ["GET", "/v1/guests/", ""],
    ["POST", "/v1/guests/", "/start"],
    ["GET", "/v1/migrations/", ""],
    ["POST", "/v1/migrations/", "/cancel"],
    ["GET", "/v1/migrations/", "/report"],
    ["GET", "/v1/migrations/", "/events"],
  ])("%s %sNAME%s is refused or harmless", async (method, before, after) => {
    for (const name of odd) {
      const path = `${before}${name}${after}`;
      const answer = await server.ask({ method, path, token: server.tokens.admin });
      expect([path.slice(0, 60), answer.status]).toEqual([
        path.slice(0, 60),
        expect.toSatisfy((found: number) => [400, 404, 405, 414].includes(found)),
      ]);
    }
    for (const name of asked) expect(name).toMatch(namePattern);
  });

  it("does not climb out with dots", async () => {
    for (const path of ["/v1/guests/../../healthz", "//healthz", "/v1//guests", "/./v1/guests"]) {
      expect((await server.ask({ path, token: server.tokens.admin })).status).toBe(404);
    }
  });
});

describe("an HTTP message with a second one hidden in it", () => {
  const hidden = "POST /v1/guests/web1/start HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
  const chunked = `0\r\n\r\n${hidden}`;

  it.each([
    ["length and chunks", "Content-Length: 4\r\nTransfer-Encoding: chunked", chunked],
    ["chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 4", chunked],
    ["two lengths", "Content-Length: 0\r\nContent-Length: 70", hidden],
    ["a list of lengths", "Content-Length: 0, 70", hidden],
    ["a length with a sign", "Content-Length: +0", hidden],
    ["a negative length", "Content-Length: -1", hidden],
    ["a length in hex", "Content-Length: 0x0", hidden],
    ["a length too large", "Content-Length: 18446744073709551616", hidden],
    ["an unknown coding", "Transfer-Encoding: xchunked", chunked],
    ["chunked not last", "Transfer-Encoding: chunked, identity", chunked],
    ["two codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", chunked],
    ["a space before the colon", "Transfer-Encoding : chunked", chunked],
    ["a folded header", "X: y\r\n Transfer-Encoding: chunked", chunked],
    ["a bare line feed", "X: y\nTransfer-Encoding: chunked", chunked],
    ["a bare carriage return", "X: y\rTransfer-Encoding: chunked", chunked],
    ["a null in a header", "X: \0\r\nTransfer-Encoding: chunked", chunked],
    ["a chunk's size too large", "Transfer-Encoding: chunked", `fffffffffffffffff\r\n${hidden}`],
    ["a chunk's size that is none", "Transfer-Encoding: chunked", `0x0\r\n\r\n${hidden}`],
    ["a chunk without its end", "Transfer-Encoding: chunked", `1\r\nxx0\r\n\r\n${hidden}`],
    ["two hosts", "Host: y\r\nContent-Length: 0", hidden],
  ])("%s: nothing hidden is done", async (_what, headers, rest) => {
    // The hidden one has no token: what could act is an API that took the outer one's for both.
    const authorized = `Authorization: Bearer ${server.tokens.operate}`;
    const outer = `POST /v1/guests/web9/stop HTTP/1.1\r\nHost: x\r\n${authorized}\r\n${headers}\r\n\r\n`;
    const replies = await raw(`${outer}${rest}`);
    expect(started).toEqual([]);
    const statuses = [...replies.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, code]) => Number(code));
    expect(statuses.length).toBeLessThanOrEqual(2);
    // Either it is refused as a whole, or the second one stood for itself and was asked who it is.
    expect([400, 401, 413, 415, 431]).toContain(statuses.at(-1) ?? 400);
  });

  it.each([
    ["no host", "GET /v1/guests HTTP/1.1\r\n\r\n"],
    ["HTTP 0.9", "GET /v1/guests\r\n\r\n"],
    ["HTTP 2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["a method of small letters", "get /v1/guests HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a tunnel", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n"],
    [
      "another protocol",
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
    ["random bytes", "\u0016\u0003\u0001\u0000\u0001\r\n\r\n"],
  ])("%s is refused", async (_what, text) => {
    const replies = await raw(text);
    // What is no HTTP at all is not always worth an answer.
    if (replies === "") return;
    expect(replies).toMatch(/^HTTP\/1\.1 4\d\d [A-Za-z ]+\r\n/);
    expect(replies).toMatch(/content-type: application\/problem\+json/i);
  });
});

describe("what is too much", () => {
  it("in the path, the headers or one segment is refused", async () => {
    const { read } = server.tokens;
    const long = `/v1/migrations?limit=${"1".repeat(2100)}`;
    expect(await server.ask({ path: long, token: read })).toMatchObject({
      status: 414,
      json: { code: "SOJ_URL_TOO_LONG" },
    });
    const headers = { x: "y".repeat(9000) };
    const answer = await server.ask({ path: "/v1/guests", token: read, headers });
    expect(answer).toMatchObject({ status: 431, json: { code: "SOJ_HEADERS_TOO_LARGE" } });
    const many = "GET /v1/guests HTTP/1.1\r\nHost: x\r\n\r\n".repeat(500);
    expect([...(await raw(many)).matchAll(/HTTP\/1.1 401/g)].length).toBeLessThan(17);
  });

  it("of requests is answered with 429 and when to come again", async () => {
    await using busy = await TestTcpApi.start({
      requestsPerSecond: 3,
      requestsPerSecondPerAddress: 8,
    });
    const ask = (token: string) => busy.ask({ path: "/v1/guests", token });
    const { read, admin } = busy.tokens;
    const sequence: number[] = [];
    const first = monotonicMs();
    for (const token of [read, read, read, read, admin, "sojourn_guess", "sojourn_guess"]) {
      sequence.push((await ask(token)).status);
    }
    const limited = await busy.ask({ path: "/v1/guests", token: admin });
    const last = await ask(admin);
    // Within one second, whatever else the machine does.
    if (monotonicMs() - first > 1000) return;
    expect(sequence).toEqual([200, 200, 200, 429, 200, 401, 401]);
    expect(limited.status).toBe(200);
    expect(last.status).toBe(429);
    expect(last.headers["retry-after"]).toBe("1");
    expect(last.json).toMatchObject({ code: "SOJ_TOO_MANY_REQUESTS", retryable: true });
    await delay(1000);
    expect((await ask(read)).status).toBe(200);
  });
});

describe("who takes their time", () => {
  it("with TLS, headers or a body is cut off", async () => {
    const { operate } = server.tokens;
    const head = "POST /v1/migrations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    const slow = {
      silent: connectionOf(""),
      "half a TLS hello": connectionOf("\u0016\u0003\u0001\u0000\u00f0\u0001\u0000"),
      headers: drip(await server.connect(), "GET /v1/guests HTTP/1.1\r\nX: "),
      body: drip(
        await server.connect(),
        `${head}Authorization: Bearer ${operate}\r\nContent-Length: 5000\r\n\r\n`,
      ),
    };
    for (const [what, lasted] of Object.entries(slow)) {
      expect([what, await lasted]).toEqual([what, expect.toSatisfy((ms: number) => ms < 5000)]);
    }
    await expect.poll(() => server.api.connections, { timeout: 5000 }).toBe(0);
    expect((await server.ask({ path: "/v1/guests", token: operate })).status).toBe(200);
  });
});

describe("a new connection", () => {
  it("waits while a guest stands", async () => {
    let isStanding = true;
    const isGuestStanding = () => isStanding;
    await using busy = await TestTcpApi.start({}, { isGuestStanding });
    let isAnswered = false;
    const answer = busy.ask({ path: "/v1/guests", token: busy.tokens.read }).finally(() => {
      isAnswered = true;
    });
    await delay(150);
    expect(isAnswered).toBe(false);
    isStanding = false;
    expect((await answer).status).toBe(200);
  });
});

function countingServices(): DaemonServices {
  return fakeServices({
    startGuest: async (name) => {
      started.push(name);
      return guest;
    },
    showGuest: async (name) => {
      asked.push(name);
      return fakeServices().showGuest(name);
    },
    getMigration: async (id) => {
      asked.push(id);
      return id === "m1" ? { ...status, error: null } : fakeServices().getMigration(id);
    },
    startMigration: async (wanted) => {
      asked.push(wanted.guest);
      return status;
    },
  });
}

/** Sends bytes as they are over TLS; all that comes back until the end, or until nothing more comes. */
async function raw(bytes: string): Promise<string> {
  const socket = await server.connect();
  let heard = "";
  socket.on("data", (data) => {
    heard += data.toString("latin1");
  });
  const ended = closed(socket);
  socket.write(Buffer.from(bytes, "latin1"));
  await Promise.race([ended, delay(1500)]);
  socket.destroy();
  return heard;
}

/** How long a TCP connection lasts that says only this. */
function connectionOf(bytes: string): Promise<number> {
  const socket = connect({ host: "127.0.0.1", port: server.api.port });
  const fromMs = monotonicMs();
  if (bytes !== "") socket.write(Buffer.from(bytes, "latin1"));
  return closed(socket).then(() => monotonicMs() - fromMs);
}

/** How long a connection lasts that sends a byte now and then. */
async function drip(socket: TLSSocket, beginning: string): Promise<number> {
  const fromMs = monotonicMs();
  socket.write(beginning);
  const timer = setInterval(() => socket.write("x"), 40);
  await closed(socket);
  clearInterval(timer);
  return monotonicMs() - fromMs;
}

function closed(socket: {
  once(event: "close", listener: () => void): unknown;
  on(event: "error", listener: () => void): unknown;
  resume(): unknown;
}): Promise<void> {
  return new Promise((resolve) => {
    socket.on("error", () => {});
    socket.once("close", () => resolve());
    socket.resume();
  });
}
