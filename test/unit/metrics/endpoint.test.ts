import { expect, test } from "vitest";
import { DaemonMetrics } from "../../../src/daemon/metrics/daemon-metrics.ts";
import type { StartConduct } from "../../../src/daemon/services.ts";
import { fakeServices, status } from "../../support/fake-services.ts";
import { ask } from "../../support/get.ts";
import { startLocalDaemon } from "../../support/local-daemon.ts";
import { samplesOf, valueIn } from "../../support/scrape.ts";
import { completedMigration } from "./events.ts";

const requests = "sojourn_api_requests_total";

test("a scrape over a real socket: what happened, in Prometheus' format", async () => {
  const metrics = newMetrics();
  await using daemon = await startLocalDaemon(() => fakeServices(), { metrics });
  for (const { migration, event } of completedMigration("m1")) metrics.note(migration, event);
  const { status, headers, body } = await ask(daemon.socketPath, "/metrics");
  expect(status).toBe(200);
  expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(valueIn(body, "sojourn_migrations_total", { outcome: "completed" })).toBe(1);
  const build = { host: "host-a", version: "1.2.3", node: process.version };
  expect(valueIn(body, "sojourn_build_info", build)).toBe(1);
  expect(valueIn(body, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
  expect(valueIn(body, "nodejs_eventloop_lag_p99_seconds")).toBeDefined();
});

test("requests count by the route's pattern, refused ones and unknown paths too", async () => {
  const metrics = newMetrics();
  await using daemon = await startLocalDaemon(() => fakeServices(), { metrics });
  const paths = ["/v1/guests/web1", "/v1/guests/web2", "/v1/guests/..%2fx", "/nowhere", "/a/b/c"];
  for (const path of paths) await ask(daemon.socketPath, path);
  await ask(daemon.socketPath, "/v1/migrations", { method: "POST", body: { guest: 1 } });
  const { body } = await ask(daemon.socketPath, "/metrics");
  const route = "/v1/guests/:name";
  expect(valueIn(body, requests, { route, status: "200" })).toBe(1);
  expect(valueIn(body, requests, { route, status: "404" })).toBe(1);
  expect(valueIn(body, requests, { route, status: "400" })).toBe(1);
  expect(valueIn(body, requests, { route: "none", status: "404" })).toBe(2);
  expect(valueIn(body, requests, { route: "/v1/migrations", method: "POST", status: "400" })).toBe(
    1,
  );
  const latency = "sojourn_api_request_duration_seconds_count";
  expect(valueIn(body, latency, { route, method: "GET" })).toBe(3);
});

test("what callers send makes no series of its own", async () => {
  const metrics = newMetrics();
  await using daemon = await startLocalDaemon(() => fakeServices(), { metrics });
  for (let number = 0; number < 100; number += 1) {
    await ask(daemon.socketPath, `/v1/${number}?q=${number}`, { method: "PROPFIND" });
    await ask(daemon.socketPath, `/v1/guests/web${number}`);
  }
  const { body } = await ask(daemon.socketPath, "/metrics");
  expect(samplesOf(body).filter(({ name }) => name === requests).length).toBeLessThan(6);
});

test("events that are followed have no latency", async () => {
  const metrics = newMetrics();
  await using daemon = await startLocalDaemon(() => fakeServices(), { metrics });
  const { signal } = new AbortController();
  for await (const _event of daemon.client.migrationEvents("m1", signal));
  const route = "/v1/migrations/:id/events";
  await expect
    .poll(async () => valueIn((await metrics.expose()).text, requests, { route }))
    .toBe(1);
  const { text } = await metrics.expose();
  expect(valueIn(text, "sojourn_api_request_duration_seconds_count", { route })).toBeUndefined();
});

test("an orchestrator's trace reaches the migration that it begins; what is none is ignored", async () => {
  const conducts: (StartConduct | undefined)[] = [];
  const startMigration = async (_request: unknown, conduct?: StartConduct) => {
    conducts.push(conduct);
    return status;
  };
  await using daemon = await startLocalDaemon(() => fakeServices({ startMigration }));
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const body = { guest: "web1", to: "host-b" };
  for (const headers of [{ traceparent, tracestate: "a=b" }, { traceparent: "00-x" }, {}]) {
    const reply = await ask(daemon.socketPath, "/v1/migrations", { method: "POST", headers, body });
    expect(reply.status).toBe(201);
  }
  expect(conducts.map((conduct) => conduct?.traceParent)).toEqual([
    { traceparent, tracestate: "a=b" },
    undefined,
    undefined,
  ]);
});

function newMetrics(): DaemonMetrics {
  return new DaemonMetrics({ host: "host-a", version: "1.2.3", peers: ["host-b"] });
}
