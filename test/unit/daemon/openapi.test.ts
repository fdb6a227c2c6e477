import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OpenApiDocument } from "../../../src/daemon/api/openapi/document.ts";
import { openApiText } from "../../../src/daemon/api/openapi/generate.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { fakeServices } from "../../support/fake-services.ts";
import { ask } from "../../support/get.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";

let text: string;
let document: OpenApiDocument;
let daemon: LocalDaemon;

beforeAll(async () => {
  text = await openApiText();
  document = JSON.parse(text);
  daemon = await startLocalDaemon(() => fakeServices());
});
afterAll(() => daemon[Symbol.asyncDispose]());

test("docs/openapi.json is that of this source: scripts/openapi writes it", async () => {
  const path = join(import.meta.dirname, "..", "..", "..", "docs", "openapi.json");
  expect(await readFile(path, "utf8")).toBe(text);
});

test("the document is OpenAPI 3.1", async () => {
  const validator = new Validator();
  expect(await validator.validate(JSON.parse(text))).toMatchObject({ valid: true });
  expect(validator.version).toBe("3.1");
});

test("every operation has a name of its own, a summary, a role, errors and examples", () => {
  const names = new Set<string>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const which = `${method} ${path}`;
      expect(operation.operationId, which).toMatch(/^[a-z][A-Za-z]+$/);
      expect(names, which).not.toContain(operation.operationId);
      names.add(operation.operationId ?? "");
      expect(operation, which).toMatchObject({
        summary: expect.stringMatching(/.{5}/),
        "x-role": expect.stringMatching(/^(read|operate|admin)$/),
        responses: { 401: expect.anything(), default: expect.anything() },
      });
      const bodies = [operation.requestBody, ...Object.values(operation.responses)];
      for (const [type, media] of bodies.flatMap((body) => Object.entries(body?.content ?? {}))) {
        if (type === "application/json") expect(media.schema, which).toBeDefined();
        if (type === "application/json" && path.startsWith("/v1/migrations")) {
          expect(media.example, which).toBeDefined();
        }
      }
    }
  }
  expect(names).toContain("startMigration");
});

test("it is served, with a page that shows it and needs nothing from elsewhere", async () => {
  const { socketPath } = daemon;
  const served = await ask(socketPath, "/v1/openapi.json");
  expect(JSON.parse(served.body)).toEqual(document);
  const page = await ask(socketPath, "/docs/");
  expect(page).toMatchObject({
    status: 200,
    headers: { "content-type": "text/html; charset=utf-8" },
  });
  const wanted = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
  expect(wanted.length).toBeGreaterThan(3);
  for (const asset of wanted) {
    expect(asset).not.toMatch(/^(https?:)?\/\//);
    const url = new URL(asset, "http://localhost/docs/");
    expect(await ask(socketPath, url.pathname), asset).toMatchObject({ status: 200 });
  }
  for (const up of ["..", "%2e%2e", "..%2f..", "%2e%2e%5c"]) {
    const { status } = await ask(socketPath, `/docs/static/${up}/${up}/package.json`);
    expect(status, up).toBeOneOf([400, 403, 404]);
  }
});

test("without a route's role no server starts", async () => {
  const { createApi } = await import("../../../src/daemon/api/app.ts");
  const { createLogger } = await import("../../../src/platform/log.ts");
  const { demandRoles } = await import("../../../src/daemon/api/roles.ts");
  const { default: fastify } = await import("fastify");
  const open = fastify() as never as Awaited<ReturnType<typeof createApi>>;
  demandRoles(open, () => {});
  open.get("/free", async () => "for all");
  await expect(open.ready()).rejects.toThrow("the route GET /free names no role");

  const logger = createLogger("silent");
  const asked: string[] = [];
  const app = await createApi({
    ...{ hostName: "host-a", services: () => fakeServices(), logger },
    authorize: (request, role) => {
      asked.push(role);
      if (request.headers.authorization === undefined) {
        throw new SojournError("SOJ_UNAUTHENTICATED", "no", { httpStatus: 401 });
      }
    },
  });
  const requests = [
    ["GET", "/v1/guests"],
    ["POST", "/v1/migrations"],
    ["POST", "/v1/migrations/m1/resolve"],
    ["GET", "/docs/static/swagger-ui.css"],
    ["GET", "/nothing"],
    ["DELETE", "/v1/guests"],
  ] as const;
  for (const [method, url] of requests) {
    const { statusCode, json } = await app.inject({ method, url });
    expect([url, statusCode]).toEqual([url, 401]);
    expect(json()).toMatchObject({ type: "urn:sojourn:error:SOJ_UNAUTHENTICATED", status: 401 });
  }
  expect(asked).toEqual(["read", "operate", "admin", "read", "read", "read"]);
  const headers = { authorization: "x" };
  const refused = await app.inject({ method: "DELETE", url: "/v1/guests/web1", headers });
  expect(refused).toMatchObject({ statusCode: 405, headers: { allow: "GET" } });
  await app.close();
});
