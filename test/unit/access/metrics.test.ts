import { expect, test } from "vitest";
import { DaemonMetrics } from "../../../src/daemon/metrics/daemon-metrics.ts";
import { valueIn } from "../../support/scrape.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

test("Prometheus scrapes with a token that may only read; whoever has none is refused and counted", async () => {
  const metrics = new DaemonMetrics({ host: "host-a", version: "1.2.3", peers: [] });
  await using host = await TestTcpApi.start({}, { metrics });
  metrics.api.know(host.api);
  expect((await host.ask({ path: "/metrics" })).status).toBe(401);
  expect((await host.ask({ path: "/metrics", token: "made-up" })).status).toBe(401);
  const { status, headers, text } = await host.ask({ path: "/metrics", token: host.tokens.read });
  expect(status).toBe(200);
  expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(valueIn(text, "sojourn_api_refused_total", { reason: "401" })).toBe(2);
  expect(valueIn(text, "sojourn_api_connections")).toBeGreaterThan(0);
  const refused = { route: "/metrics", method: "GET", status: "401" };
  expect(valueIn(text, "sojourn_api_requests_total", refused)).toBe(2);
});
