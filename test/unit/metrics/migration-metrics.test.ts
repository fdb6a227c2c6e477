import { expect, test } from "vitest";
import { DaemonMetrics } from "../../../src/daemon/metrics/daemon-metrics.ts";
import { reportWith } from "../../support/fake-services.ts";
import { valueIn } from "../../support/scrape.ts";
import {
  completedMigration,
  inDoubtMigration,
  progressOf,
  rolledBackMigration,
  type Told,
} from "./events.ts";

const completed = { outcome: "completed", to: "host-b" };

test("series of every outcome begin at 0", async () => {
  const { text } = await metricsAfter([]);
  for (const outcome of ["completed", "rolled-back", "cancelled", "in-doubt", "guest-lost"]) {
    expect(valueIn(text, "sojourn_migrations_total", { outcome, to: "host-b" })).toBe(0);
  }
});

test("a completed migration: outcome, blackout, bytes, and the time of each phase", async () => {
  const { text } = await metricsAfter(completedMigration("m1", { packets_dropped: 3 }));
  expect(valueIn(text, "sojourn_migrations_total", completed)).toBe(1);
  expect(valueIn(text, "sojourn_migration_blackout_seconds_sum")).toBeCloseTo(0.025);
  expect(valueIn(text, "sojourn_migration_blackout_seconds_bucket", { le: "0.02" })).toBe(0);
  expect(valueIn(text, "sojourn_migration_blackout_seconds_bucket", { le: "0.03" })).toBe(1);
  expect(valueIn(text, "sojourn_migration_transferred_bytes_sum")).toBe(73_000_000);
  expect(valueIn(text, "sojourn_migration_dropped_packets_total")).toBe(3);
  const duration = { outcome: "completed" };
  expect(valueIn(text, "sojourn_migration_duration_seconds_sum", duration)).toBeCloseTo(0.8);
  const phase = "sojourn_migration_phase_duration_seconds_sum";
  expect(valueIn(text, phase, { phase: "preparing" })).toBeCloseTo(0.1);
  expect(valueIn(text, phase, { phase: "precopy" })).toBeCloseTo(0.5);
  expect(valueIn(text, phase, { phase: "armed" })).toBeCloseTo(0.054);
  expect(valueIn(text, phase, { phase: "verifying" })).toBeCloseTo(0.12);
  expect(valueIn(text, phase, { phase: "completed" })).toBeUndefined();
});

test("one that is taken back after a second try: its code, the retry, no blackout", async () => {
  const { text } = await metricsAfter(rolledBackMigration("m1"));
  expect(valueIn(text, "sojourn_migrations_total", { outcome: "rolled-back" })).toBe(1);
  expect(valueIn(text, "sojourn_migration_failures_total", { code: "SOJ_FROZEN_DEADLINE" })).toBe(
    1,
  );
  expect(valueIn(text, "sojourn_migration_retries_total")).toBe(1);
  expect(valueIn(text, "sojourn_migration_blackout_seconds_count")).toBe(0);
  const precopy = { phase: "precopy" };
  expect(valueIn(text, "sojourn_migration_phase_duration_seconds_sum", precopy)).toBeCloseTo(0.7);
});

test("one in doubt counts again when it is decided, and an end that is told twice only once", async () => {
  const end = completedMigration("m1");
  const { text } = await metricsAfter([...inDoubtMigration("m1"), ...end, ...end.slice(-1)]);
  expect(valueIn(text, "sojourn_migrations_total", { outcome: "in-doubt" })).toBe(1);
  expect(valueIn(text, "sojourn_migrations_total", completed)).toBe(1);
  expect(valueIn(text, "sojourn_migration_blackout_seconds_count")).toBe(1);
});

test("bytes are counted while they are sent, also by a stream that was begun again", async () => {
  const [first, second, again] = [
    progressOf("m1", 1_000),
    progressOf("m1", 5_000),
    progressOf("m1", 200),
  ];
  const under = await metricsAfter([first, second, again]);
  expect(valueIn(under.text, "sojourn_migration_sent_bytes_total")).toBe(5_200);
  const report = completedMigration("m1", { transferred_bytes: 700 });
  const ended = await metricsAfter([first, second, again, ...report]);
  expect(valueIn(ended.text, "sojourn_migration_sent_bytes_total")).toBe(5_700);
});

test("a migration that another host carries out for this one is counted there", async () => {
  const mirrored = completedMigration("m1").map(({ migration, event }) => ({
    migration: { ...migration, from: "host-c", to: "host-a" },
    event,
  }));
  const { text } = await metricsAfter(mirrored);
  expect(valueIn(text, "sojourn_migrations_total", { outcome: "completed" })).toBe(0);
});

test("what a prober measured counts once, also when its report is stored again", async () => {
  const metrics = newMetrics();
  const session = { sessions: 2, broken: 1, retransmissions: null, rto: null, floor_ms: 5 };
  const packets = { sent: 100, lost: 4, unread: 0, duplicated: 0, reordered: 0 };
  const report = reportWith({
    probes: {
      tcp_echo: { ...session, outage_ms: 28 },
      http: {
        ...{ ...session, outage_ms: null, broken: 2, status_errors: 0 },
        ...{ guest_clock_step_ms: null, guest_clock_error_ms: null },
        ...{ guest_retransmissions: null, guest_rto: null },
      },
      packet: { ...packets, outage_ms: 30, floor_ms: 2 },
    },
    flows: { established: 3, survived: 2 },
    within_budget: false,
  });
  metrics.noteMeasured(report);
  metrics.noteMeasured(report);
  const { text } = await metrics.expose();
  const outage = "sojourn_migration_outage_seconds";
  expect(valueIn(text, `${outage}_sum`, { probe: "tcp_echo" })).toBeCloseTo(0.028);
  expect(valueIn(text, `${outage}_count`, { probe: "packet" })).toBe(1);
  expect(valueIn(text, `${outage}_count`, { probe: "http" })).toBeUndefined();
  expect(valueIn(text, "sojourn_migration_probe_broken_sessions_total", { probe: "http" })).toBe(2);
  expect(valueIn(text, "sojourn_migration_probe_lost_packets_total")).toBe(4);
  expect(valueIn(text, "sojourn_migration_established_flows_total")).toBe(3);
  expect(valueIn(text, "sojourn_migration_survived_flows_total")).toBe(2);
  expect(valueIn(text, "sojourn_migrations_over_budget_total")).toBe(1);
});

test("flows that the source tracked count at the migration's end, and not again with a prober's results", async () => {
  const metrics = newMetrics();
  const flows = {
    established: 30,
    survived: 29,
    carried: 28,
    refused: { ENOMEM: 2 },
    carry_ms: 40,
  };
  for (const { migration, event } of completedMigration("m1")) {
    metrics.note(migration, event.type === "report" ? { ...event, flows } : event);
  }
  metrics.noteMeasured({ ...reportWith({ flows }), id: "m1" });
  const { text } = await metrics.expose();
  expect(valueIn(text, "sojourn_migration_established_flows_total")).toBe(30);
  expect(valueIn(text, "sojourn_migration_survived_flows_total")).toBe(29);
  expect(valueIn(text, "sojourn_migration_carried_flows_total")).toBe(28);
  expect(valueIn(text, "sojourn_migration_refused_flows_total", { reason: "ENOMEM" })).toBe(2);
  const carry = "sojourn_migration_flows_carry_seconds";
  expect(valueIn(text, `${carry}_sum`, { part: "all" })).toBeCloseTo(0.04);
  expect(valueIn(text, `${carry}_count`, { part: "difference" })).toBeUndefined();
});

test("two daemons in one process have metrics of their own", async () => {
  const [one, other] = [newMetrics(), newMetrics()];
  for (const { migration, event } of completedMigration("m1")) one.note(migration, event);
  expect(valueIn((await other.expose()).text, "sojourn_migrations_total", completed)).toBe(0);
});

test("memory stays bounded when migrations begin and never end", async () => {
  const metrics = newMetrics();
  for (let number = 0; number < 2_000; number += 1) {
    for (const { migration, event } of completedMigration(`m${number}`).slice(0, 3)) {
      metrics.note(migration, event);
    }
  }
  for (const { migration, event } of completedMigration("m1999")) metrics.note(migration, event);
  expect(valueIn((await metrics.expose()).text, "sojourn_migrations_total", completed)).toBe(1);
});

function newMetrics(): DaemonMetrics {
  return new DaemonMetrics({ host: "host-a", version: "1.2.3", peers: ["host-b"] });
}

async function metricsAfter(events: readonly Told[]): Promise<{ text: string }> {
  const metrics = newMetrics();
  for (const { migration, event } of events) metrics.note(migration, event);
  return await metrics.expose();
}
