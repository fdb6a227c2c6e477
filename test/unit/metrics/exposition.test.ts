import { expect, test } from "vitest";
import { DaemonMetrics } from "../../../src/daemon/metrics/daemon-metrics.ts";
import { monotonicMs } from "../../../src/platform/clock.ts";
import { valueIn } from "../../support/scrape.ts";

test("a scrape waits while a guest stands, and goes on at once when it runs", async () => {
  const metrics = newMetrics();
  let isStanding = true;
  metrics.isGuestStanding = () => isStanding;
  let isDone = false;
  const scrape = metrics.expose().then((scraped) => {
    isDone = true;
    return scraped;
  });
  const startMs = monotonicMs();
  while (monotonicMs() - startMs < 100) await new Promise((resolve) => setImmediate(resolve));
  expect(isDone).toBe(false);
  isStanding = false;
  const { text } = await scrape;
  expect(valueIn(text, "sojourn_guests_frozen")).toBe(0);
});

test("of a guest that stands for long a scrape tells after a second", async () => {
  const metrics = newMetrics();
  metrics.isGuestStanding = () => true;
  metrics.guests.know({
    records: { all: () => [] },
    runStates: { get: () => undefined },
    standing: {
      list: () => [{ guest: "web1", migration: "m1", sinceMs: monotonicMs() - 90_000 }],
    },
    migrations: {
      isRunning: () => false,
      underWay: () => ({ count: 1, leaving: 1, isGuestStanding: false }),
    },
    journal: { opening: { damage: [] } },
  });
  const startMs = monotonicMs();
  const { text, contentType } = await metrics.expose();
  expect(monotonicMs() - startMs).toBeLessThan(2_500);
  expect(contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(valueIn(text, "sojourn_guest_frozen_seconds", { guest: "web1" })).toBeGreaterThan(89);
});

test("every metric of ours has a help text, a base unit and a type that fits its name", async () => {
  const { text } = await newMetrics().expose();
  const types = [...text.matchAll(/^# TYPE (sojourn_\S+) (\S+)$/gm)];
  expect(types.length).toBeGreaterThan(30);
  for (const [, name = "", type] of types) {
    expect(text).toContain(`# HELP ${name} `);
    expect(name).not.toMatch(/_(ms|milliseconds|mib|kib|percent)(_|$)/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    if (type === "histogram") expect(name).toMatch(/_(seconds|bytes)$/);
  }
});

function newMetrics(): DaemonMetrics {
  return new DaemonMetrics({ host: "host-a", version: "1.2.3", peers: ["host-b"] });
}
