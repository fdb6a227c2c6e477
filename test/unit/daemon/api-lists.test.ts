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

const move = { guest: "web1", to: "host-b" };

test.each([
  { renumber: "10.2.0.300" },
  { renumber: "any" },
  { renumber: "fd00::1" },
  { drain_idle_s: 5 },
  { drain_cap_s: 5 },
  { renumber: "auto", drain_idle_s: 0 },
  { renumber: "auto", strategy: { name: "flip" } },
])("a move with %j is refused as it stands", async (wish) => {
  const request = { method: "POST", body: { ...move, ...wish } };
  const { status, body } = await ask(daemon.socketPath, "/v1/migrations", request);
  expect(status).toBe(400);
  expect(JSON.parse(body)).toMatchObject({ code: "SOJ_USAGE", exit_code: 2 });
});

test("a move may give the guest another address", async () => {
  const body = { ...move, renumber: "auto", drain_idle_s: 5, drain_cap_s: 0 };
  const started = await ask(daemon.socketPath, "/v1/migrations", { method: "POST", body });
  expect(started).toMatchObject({ status: 201, headers: { location: "/v1/migrations/m0" } });
});
