import { beforeEach, expect, test } from "vitest";
import { drainTeller, withDrainOfNow } from "../../../src/daemon/drain-teller.ts";
import { EventFeed, type FeedEvent } from "../../../src/daemon/event-feed.ts";
import { migrationMessage } from "../../../src/daemon/hooks/payload.ts";
import type { DrainTeller } from "../../../src/migrator/drain-context.ts";
import { Migrations } from "../../../src/migrator/migrations.ts";
import { openRedirect } from "../../../src/migrator/open-redirect.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import type { SourceContext } from "../../../src/migrator/source-context.ts";
import type { StoredMigration } from "../../../src/migrator/stored-migration.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { reportWith } from "../../support/fake-services.ts";
import { memoryHistory } from "../../support/memory-history.ts";
import { draining } from "../migrator/drain-world.ts";
import { hostA } from "../migrator/support.ts";

const throughput = { start_ms: 0, step_ms: 10, mbps: [1] };
const completed: StoredMigration = {
  ...{ id: "m1", guest: "web1", from: "host-a", to: "host-b", state: "completed" },
  ...{ startedMs: 1_000_000, endedMs: 1_000_500, error: null, throughput },
  report: reportWith({ id: "m1" }),
};
const away = openRedirect(draining) ?? ({} as never);
const departed = {
  ...{ host: "host-b", migration: "m1", renumbered: "10.2.0.50", reason: "last-flow" as const },
  atMs: 1_060_000,
};
const gone = { ...draining, redirect: null, departed } as GuestRecord & {
  departed: typeof departed;
};

let migrations: Migrations;
let told: FeedEvent[];
let feed: EventFeed;
let teller: DrainTeller;

function begin(stored: StoredMigration | null = completed): void {
  const history = memoryHistory();
  if (stored !== null) history.put(stored);
  const logger = createLogger("silent");
  migrations = new Migrations({ host: hostA, logger } as SourceContext, history);
  feed = new EventFeed(logger);
  told = [];
  feed.subscribe((event) => told.push(event));
  teller = drainTeller({ hostName: "host-a", feed, migrations });
}

beforeEach(() => begin());

test("a drain's beginning and end are told once each, and its report says how it stands", () => {
  expect(teller.draining(away)).toBe(true);
  expect(teller.draining(away)).toBe(true);
  expect(migrations.get("m1").report?.drain).toEqual({
    ...{ state: "draining", reason: null, retired_ms: null, freed: null },
  });
  teller.retired(gone);
  const drain = {
    ...{ state: "retired", reason: "last-flow", retired_ms: 1_060_000, freed: "10.1.0.10" },
  };
  expect(migrations.get("m1").report?.drain).toEqual(drain);
  expect(told.map(({ event }) => event)).toMatchObject([
    { type: "phase", phase: "draining", host: "host-a", at_ms: 0 },
    { type: "phase", phase: "retired", at_ms: 60_000, wall_clock_ms: 1_060_000, drain },
  ]);
});

test("the migration stays completed, with what was measured of it", () => {
  teller.draining(away);
  teller.retired(gone);
  expect(migrations.get("m1")).toMatchObject({
    state: "completed",
    endedMs: 1_000_500,
    throughput,
  });
  expect(told.map(({ migration }) => migration.state)).toEqual(["completed", "completed"]);
  expect(migrations.list({ limit: 10, states: ["completed"] })).toHaveLength(1);
});

test("nothing is told before the migration has told its end", () => {
  const running = new Set(["m1"]);
  const busy = Object.assign(Object.create(migrations), {
    isRunning: (id: string) => running.has(id),
    get: () => completed,
    has: () => true,
    putReport: () => {},
  });
  const early = drainTeller({ hostName: "host-a", feed, migrations: busy });
  expect(early.draining(away)).toBe(false);
  expect(told).toEqual([]);
  running.clear();
  expect(early.draining(away)).toBe(true);
  expect(told).toHaveLength(1);
});

test("hooks are told, and recognise what a crash makes be told again", () => {
  teller.draining(away);
  teller.retired(gone);
  teller.retired(gone);
  const messages = told.map((event) => migrationMessage(event, "host-a", null));
  expect(messages.map((message) => message?.type)).toEqual([
    "migration.draining",
    "migration.retired",
    "migration.retired",
  ]);
  expect(messages[1]?.id).toBe(messages[2]?.id);
  expect(messages[0]?.id).not.toBe(messages[1]?.id);
});

test("a migration's own events end with its result, also for who comes during the drain", async () => {
  const status = { ...completed, started_ms: 1, ended_ms: 2, state: "completed" as const };
  feed.publish({ migration: status, event: reportWith({ id: "m1" }) });
  teller.draining(away);
  const signal = AbortSignal.timeout(5_000);
  const events = await Array.fromAsync(feed.followMigration("m1", signal, undefined, () => false));
  expect(events).toMatchObject([{ event: { type: "report" } }]);
  expect(signal.aborted).toBe(false);
});

test("of one that was retired by hand, the migration that brought it there is found", () => {
  teller.retired({ ...gone, departed: { ...departed, migration: null } as never });
  expect(migrations.get("m1").report?.drain).toMatchObject({ state: "retired" });
});

test("a history that remembers nothing keeps nobody from being retired", () => {
  begin(null);
  expect(teller.draining(away)).toBe(true);
  teller.retired(gone);
  expect(told).toEqual([]);
});

test("a drain whose guest has come home or ended is over", () => {
  teller.draining(away);
  const report = migrations.get("m1").report ?? ({} as never);
  expect(withDrainOfNow(report, draining).drain?.state).toBe("draining");
  expect(withDrainOfNow(report, gone).drain?.state).toBe("draining");
  expect(withDrainOfNow(report, undefined).drain?.state).toBe("ended");
  expect(withDrainOfNow(report, { ...draining, redirect: null }).drain?.state).toBe("ended");
});
