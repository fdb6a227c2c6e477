import { afterAll, beforeAll, expect, test } from "vitest";
import type { MigrationFilter } from "../../../src/daemon/services.ts";
import { apiWorld } from "../../support/api-world.ts";
import { ask } from "../../support/get.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";

const world = apiWorld();
let daemon: LocalDaemon;

beforeAll(async () => {
  daemon = await startLocalDaemon(() => world);
});
afterAll(() => daemon[Symbol.asyncDispose]());

test.each<MigrationFilter>([
  {},
  { guest: "web1" },
  { from: "host-a", to: "host-b" },
  { states: ["completed", "in-doubt"] },
  { isOpen: true },
  { isOpen: false, sinceMs: 50, untilMs: 60 },
])("filters and pages over HTTP are those of the services: %j", async (filter) => {
  const { migrations: wanted } = await world.listMigrations(filter, 1_000);
  expect(wanted.length).toBeGreaterThan(0);
  const found = [];
  let cursor: string | undefined;
  do {
    const page = await daemon.client.listMigrations(filter, 7, cursor);
    expect(page.migrations.length).toBeLessThanOrEqual(7);
    found.push(...page.migrations);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  expect(found).toEqual(wanted);
  expect(await Array.fromAsync(daemon.client.eachMigration(filter))).toEqual(wanted);
});

test("the next page's link keeps the filters; states may be repeated or separated by commas", async () => {
  const of = (query: string) => ask(daemon.socketPath, `/v1/migrations?${query}`);
  const first = await of("state=completed&state=in-doubt&limit=2&since=1970-01-01T00:00:00Z");
  const next = /^<([^>]+)>; rel="next"$/.exec(String(first.headers.link))?.[1] ?? "";
  expect(next).toMatch(/^\/v1\/migrations\?state=completed&state=in-doubt&limit=2&/);
  const second = await ask(daemon.socketPath, next);
  expect(JSON.parse(second.body)).toHaveLength(2);
  const comma = await of("state=completed,in-doubt&limit=2");
  expect(comma.body).toBe(first.body);
  expect((await of("limit=1000")).headers.link).toBeUndefined();
});

test.each([
  ["limit=0", "SOJ_USAGE"],
  ["limit=1001", "SOJ_USAGE"],
  ["state=gone", "SOJ_USAGE"],
  ["since=yesterday", "SOJ_USAGE"],
  ["since=2026-99-99T00:00:00Z", "SOJ_USAGE"],
  ["cursor=nonsense", "SOJ_BAD_CURSOR"],
  ["colour=blue", "SOJ_USAGE"],
])("%s is refused with %s", async (query, code) => {
  const { status, body } = await ask(daemon.socketPath, `/v1/migrations?${query}`);
  expect(status).toBe(400);
  expect(JSON.parse(body)).toMatchObject({ code, exit_code: 2 });
});

test("a guest's address cannot be changed yet, and that is said", async () => {
  const body = { guest: "web1", to: "host-b", renumber: "auto" };
  const refused = await ask(daemon.socketPath, "/v1/migrations", { method: "POST", body });
  expect(refused.status).toBe(400);
  expect(JSON.parse(refused.body)).toMatchObject({
    code: "SOJ_RENUMBER_UNSUPPORTED",
    exit_code: 3,
  });
  const { renumber: _address, ...wanted } = body;
  const started = await ask(daemon.socketPath, "/v1/migrations", { method: "POST", body: wanted });
  expect(started).toMatchObject({ status: 201, headers: { location: "/v1/migrations/m0" } });
});
