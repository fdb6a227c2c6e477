import type { RouteOptions } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { localCaller } from "../../../src/daemon/access/caller.ts";
import { authorizeCaller } from "../../../src/daemon/access/permission.ts";
import { type Role, roles } from "../../../src/daemon/api/api.ts";
import { createApi } from "../../../src/daemon/api/app.ts";
import type { IssuedCertificate } from "../../../src/daemon/pki.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { fakeServices } from "../../support/fake-services.ts";
import { createTestAuthority } from "../../support/host-certificates.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

interface Route {
  method: string;
  url: string;
  role: Role;
}

let server: TestTcpApi;
let routes: Route[];

beforeAll(async () => {
  server = await TestTcpApi.start();
  routes = await listRoutes();
});
afterAll(() => server[Symbol.asyncDispose]());

describe("every route over TCP", () => {
  it("is there", () => {
    expect(routes.length).toBeGreaterThan(10);
    expect(new Set(routes.map(({ role }) => role))).toEqual(new Set(roles));
  });

  it("wants to know who asks", async () => {
    for (const { method, url } of routes) {
      const answer = await server.ask({ method, path: pathOf(url) });
      expect([method, url, answer.status]).toEqual([method, url, 401]);
      expect(answer.headers["www-authenticate"]).toBe('Bearer realm="sojourn"');
      expect(answer.headers["content-type"]).toMatch("application/problem+json");
      expect(answer.json).toMatchObject({ code: "SOJ_UNAUTHENTICATED", status: 401 });
    }
  });

  it("refuses tokens that are unknown, revoked or expired", async () => {
    const ended = await server.addToken("ended", { expires: "2026-01-02T00:00:00Z" });
    const refused = [
      ["sojourn_unknown", "SOJ_TOKEN_REFUSED"],
      [`${server.tokens.admin}x`, "SOJ_TOKEN_REFUSED"],
      [server.tokens.admin.slice(0, -1), "SOJ_TOKEN_REFUSED"],
      ["", "SOJ_TOKEN_REFUSED"],
      [ended, "SOJ_TOKEN_EXPIRED"],
    ] as const;
    for (const { method, url } of routes) {
      for (const [token, code] of refused) {
        const { status, json } = await server.ask({ method, path: pathOf(url), token });
        expect([method, url, status, json?.code]).toEqual([method, url, 401, code]);
      }
    }
  });

  it("refuses callers whose role is too small, naming the one that is needed", async () => {
    for (const { method, url, role } of routes) {
      for (const smaller of roles.slice(0, roles.indexOf(role))) {
        const token = server.tokens[smaller];
        const { status, json, headers } = await server.ask({ method, path: pathOf(url), token });
        expect([method, url, status]).toEqual([method, url, 403]);
        expect(json).toMatchObject({
          code: "SOJ_ROLE_REQUIRED",
          detail: `this needs the role ${role}; token:${smaller} has ${smaller}`,
        });
        expect(headers["www-authenticate"]).toMatch("insufficient_scope");
      }
    }
  });

  it("lets callers pass whose role is large enough", async () => {
    for (const { method, url, role } of routes) {
      for (const enough of roles.slice(roles.indexOf(role))) {
        const token = server.tokens[enough];
        const { status } = await server.ask({ method, path: pathOf(url), token });
        expect([401, 403, 429, 500]).not.toContain(status);
      }
    }
  });
});

describe("a caller", () => {
  it("who may only look cannot follow so that its own end would cancel the migration", async () => {
    const path = "/v1/migrations/m1/events?abort_on_disconnect=true";
    const { status, json } = await server.ask({ path, token: server.tokens.read });
    expect([status, json?.code]).toEqual([403, "SOJ_ROLE_REQUIRED"]);
    expect((await server.ask({ path, token: server.tokens.operate })).status).toBe(200);
  });

  it("learns nothing of paths before it has said who it is", async () => {
    expect(await server.ask({ path: "/v1/nothing" })).toMatchObject({ status: 401 });
    const { status } = await server.ask({ path: "/v1/nothing", token: server.tokens.read });
    expect(status).toBe(404);
  });

  it("is known by its certificate, and has the role that the host gives it", async () => {
    const certificate = await server.issueClient("ansible");
    expect(await server.ask({ path: "/v1/guests", certificate })).toMatchObject({ status: 200 });
    const resolve = { method: "POST", path: "/v1/migrations/m1/resolve" };
    const { status, json } = await server.ask({ ...resolve, certificate });
    expect(status).toBe(403);
    expect(json?.detail).toMatch("needs the role admin; certificate:sojourn://client/ansible");
    // A token says more than the connection that it comes over.
    const body = '{"keep":"source"}';
    const both = await server.ask({ ...resolve, certificate, token: server.tokens.admin, body });
    expect(both.status).toBe(200);
  });

  it("without a role is told where to get one: other clients, and hosts", async () => {
    for (const certificate of [await server.issueClient("stranger"), server.host]) {
      const { status, json } = await server.ask({ path: "/v1/guests", certificate });
      expect([status, json?.code]).toEqual([403, "SOJ_NO_ROLE"]);
      expect(json?.hint).toMatch("[api.clients]");
    }
  });

  it("with a certificate of another authority is refused", async () => {
    await using other = await createTestAuthority("host-b");
    const certificate = other.hosts["host-b"] as IssuedCertificate;
    const { status, json } = await server.ask({ path: "/v1/guests", certificate });
    expect([status, json?.code]).toEqual([401, "SOJ_CERTIFICATE_REFUSED"]);
  });

  it("with an expired certificate is refused", async () => {
    const certificate = await server.issueClient("ansible", -0.5);
    const { status, json } = await server.ask({ path: "/v1/guests", certificate });
    expect([status, json?.code]).toEqual([401, "SOJ_CERTIFICATE_REFUSED"]);
    expect(json?.detail).toMatch("CERT_HAS_EXPIRED");
  });

  it("of the unix socket may do everything", () => {
    for (const role of roles) {
      expect(() => authorizeCaller({ caller: localCaller } as never, role)).not.toThrow();
    }
  });
});

/** What the API serves, from the API itself. */
async function listRoutes(): Promise<Route[]> {
  const found: RouteOptions[] = [];
  const options = { hostName: "host-a", services: () => fakeServices() };
  const app = await createApi({
    ...options,
    logger: createLogger("silent"),
    extend: async (api) => {
      api.addHook("onRoute", (route) => void found.push(route));
    },
  });
  await app.close();
  return found
    .flatMap(({ method, url, config }) =>
      [method].flat().map((one) => ({ method: one, url, role: config?.role ?? "admin" })),
    )
    .filter(({ method }) => method !== "HEAD" && method !== "OPTIONS");
}

function pathOf(url: string): string {
  return url.replaceAll(":name", "web1").replaceAll(":id", "m1").replaceAll("*", "x");
}
