import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { noMetrics } from "../../../src/daemon/api/observed-requests.ts";
import { startLocalApi } from "../../../src/daemon/local-api.ts";
import type { AnsweredRequest } from "../../../src/daemon/metrics/api-metrics.ts";
import type { Logger } from "../../../src/platform/log.ts";
import { fakeServices, status } from "../../support/fake-services.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

interface Line {
  msg: string;
  [key: string]: unknown;
}

let lines: Line[];
let text: string;
let logger: Logger;
let server: TestTcpApi;

const services = () =>
  fakeServices({ startMigration: async () => ({ ...status, state: "planned" }) });

beforeEach(async () => {
  lines = [];
  text = "";
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk;
      lines.push(JSON.parse(chunk.toString("utf8")));
      done();
    },
  });
  logger = pino({ base: null }, sink);
  server = await TestTcpApi.start({}, { logger, services });
});
afterEach(() => server[Symbol.asyncDispose]());

const audited = () => lines.filter(({ audit }) => audit === true);

describe("the audit", () => {
  it("has a line for each change: who, what and what came of it", async () => {
    const { operate, read } = server.tokens;
    const body = '{"guest":"web1","to":"host-b"}';
    await server.ask({ method: "POST", path: "/v1/migrations", token: operate, body });
    await server.ask({ method: "POST", path: "/v1/guests/web1/stop", token: read });
    await server.ask({ method: "POST", path: "/v1/migrations", token: operate, body: "{" });
    const certificate = await server.issueClient("ansible");
    await server.ask({ method: "POST", path: "/v1/migrations/m1/cancel", certificate });
    expect(audited()).toMatchObject([
      {
        caller: "token:operate",
        from: "127.0.0.1",
        operation: "startMigration",
        status: 201,
        location: "/v1/migrations/m1",
      },
      {
        caller: "token:read",
        role: "read",
        operation: "stopGuest",
        params: { name: "web1" },
        status: 403,
        code: "SOJ_ROLE_REQUIRED",
      },
      { caller: "token:operate", operation: "startMigration", status: 400 },
      {
        caller: "certificate:sojourn://client/ansible",
        operation: "cancelMigration",
        params: { id: "m1" },
        status: 200,
      },
    ]);
  });

  it("has none for looking", async () => {
    await server.ask({ path: "/v1/guests", token: server.tokens.read });
    expect(audited()).toEqual([]);
  });

  it("keeps secrets and odd names out", async () => {
    const token = "sojourn_guessed-secret";
    await server.ask({ method: "POST", path: "/v1/guests/web1/stop", token });
    const path = `/v1/guests/${"%0a".repeat(30)}/stop`;
    await server.ask({ method: "POST", path, token: server.tokens.admin });
    for (const secret of [token, ...Object.values(server.tokens)]) {
      expect(text).not.toContain(secret.slice(0, 20));
    }
    expect(audited()).toHaveLength(1);
    expect(text.trimEnd().split("\n")).toHaveLength(lines.length);
  });

  it("has a line for a change over the unix socket as well", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sojourn-audit-"));
    const socketPath = join(folder, "sojourn.sock");
    const local = await startLocalApi({ socketPath, hostName: "host-a", services, logger });
    try {
      await new Promise((resolve) => {
        const options = { socketPath, method: "POST", path: "/v1/guests/web1/stop" };
        request(options, (response) => response.resume().on("end", resolve)).end();
      });
      expect(audited()).toMatchObject([{ caller: "local", operation: "stopGuest", status: 200 }]);
    } finally {
      await local[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("metrics", () => {
  it("count requests over TCP, those that were refused as well", async () => {
    const noted: AnsweredRequest[] = [];
    const metrics = {
      ...noMetrics,
      api: { note: (request: AnsweredRequest) => noted.push(request) },
    };
    await using counted = await TestTcpApi.start({}, { metrics });
    await counted.ask({ path: "/v1/guests", token: counted.tokens.read });
    await counted.ask({ path: "/v1/guests" });
    await expect.poll(() => noted.map(({ status }) => status)).toEqual([200, 401]);
  });
});

describe("refusals", () => {
  it("are one line and then a summary, however many", async () => {
    for (let count = 0; count < 20; count += 1) await server.ask({ path: "/v1/guests" });
    const refused = lines.filter(({ msg }) => msg === "API access refused");
    expect(refused).toMatchObject([{ reason: "401", from: "127.0.0.1", caller: null }]);
    expect(server.api.refused.get("401")).toBe(20);
  });
});
