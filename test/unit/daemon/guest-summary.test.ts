import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type GuestSources,
  guestSummaries,
  guestSummary,
} from "../../../src/daemon/guest-summary.ts";
import { Guests } from "../../../src/migrator/guests.ts";
import { type MigrationQuery, select } from "../../../src/migrator/migration-query.ts";
import type { RecordStore } from "../../../src/migrator/record-store.ts";
import type { MigrationSummary } from "../../../src/migrator/stored-migration.ts";
import { wallClockMs } from "../../../src/platform/clock.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { aToB, hostA, recordOf, temporaryFolder } from "../migrator/support.ts";

const moved: MigrationSummary = {
  ...{ id: "m1", guest: "web1", from: "host-a", to: "host-b", state: "completed" },
  ...{ startedMs: 1, endedMs: 5_000 },
};

function sourcesWith(change: {
  record?: object;
  runState?: () => Promise<string>;
  migrations?: MigrationSummary[];
  running?: string;
  held?: boolean;
  steps?: string[];
}): GuestSources {
  const record = { ...recordOf("web1", 10), ...change.record };
  const instance = { pid: process.pid, runState: change.runState };
  return {
    hostName: "host-a",
    guests: {
      definition: () => record.definition,
      homeOf: () => null,
      instance: () => (change.runState === undefined ? undefined : instance),
    },
    records: { get: () => record },
    migrations: {
      list: (query: MigrationQuery) => select(change.migrations ?? [], query),
      runningOf: () => change.running,
      isRunning: (id: string) => id === change.running,
    },
    journal: {
      isHeld: () => change.held ?? false,
      has: (_id: string, step: string) => change.steps?.includes(step) ?? false,
    },
  } as unknown as GuestSources;
}

describe("a guest's summary", () => {
  it("tells where it runs and since when", async () => {
    const told = await guestSummary(sourcesWith({ runState: async () => "running" }), "web1");
    expect(told).toMatchObject({
      ...{ name: "web1", state: "running", host: "host-a", home: "host-a", memory_mib: 128 },
      ...{ addresses: ["10.1.0.10/24"], vcpus: 1, migration: null, in_doubt: false },
    });
    const startedMs = wallClockMs() - process.uptime() * 1000;
    expect(Math.abs((told.since_ms ?? 0) - startedMs)).toBeLessThan(1_000);
  });

  it("names no home of one behind an anchor that is found at its start", async () => {
    const sources = { ...sourcesWith({}), records: { get: () => undefined } };
    const stopped = await guestSummary(sources as unknown as GuestSources, "web1");
    expect(stopped).toMatchObject({ state: "stopped", host: null, home: "" });
  });

  it("tells of one that is away since when it is there", async () => {
    const record = { redirect: { host: "host-b", tunnel: aToB } };
    const away = await guestSummary(sourcesWith({ record, migrations: [moved] }), "web1");
    expect(away).toMatchObject({ state: "away", host: "host-b", since_ms: 5_000 });
    const forgotten = await guestSummary(sourcesWith({ record }), "web1");
    expect(forgotten).toMatchObject({ state: "away", since_ms: null });
  });

  it("tells where one has gone whose move waits for its end here", async () => {
    const migration = { id: "m1", epoch: 1, role: "source", peer: "host-b", resume: true };
    const record = { migration, hosting: { stage: "running" } };
    const gone = sourcesWith({ record, steps: ["promise", "taken-over-by-destination"] });
    expect(await guestSummary(gone, "web1")).toMatchObject({ state: "away", host: "host-b" });
    const unknown = sourcesWith({ record, steps: ["promise"] });
    expect(await guestSummary(unknown, "web1")).toMatchObject({ state: "stopped", host: null });
  });

  it("tells its other address, and what becomes of the way through its home", async () => {
    const kept = { redirect: { host: "host-b", tunnel: aToB } };
    const drain = { renumbered: "10.2.0.2" };
    const draining = { redirect: { ...kept.redirect, drain } };
    const retiring = { redirect: { ...kept.redirect, retiring: "by-hand" as const } };
    const departed = { departed: { host: "host-b", renumbered: "10.2.0.2" } };
    const there = { home: { host: "host-b" }, hosting: { stage: "running" } };
    const renumbered = { ...there, hosting: { ...there.hosting, renumbered: "10.1.0.9" } };
    const retired = { ...there, hosting: { ...renumbered.hosting, retired: true } };
    const runState = async () => "running";
    const cases: [object, object][] = [
      [{}, { renumbered: null, redirect: null }],
      [kept, { renumbered: null, redirect: "kept", host: "host-b" }],
      [retiring, { renumbered: null, redirect: "draining", host: "host-b" }],
      [draining, { renumbered: "10.2.0.2", redirect: "draining", host: "host-b" }],
      [departed, { renumbered: "10.2.0.2", redirect: "retired", host: "host-b", state: "away" }],
      [there, { renumbered: null, redirect: "kept", host: "host-a" }],
      [renumbered, { renumbered: "10.1.0.9", redirect: "draining", host: "host-a" }],
      [retired, { renumbered: "10.1.0.9", redirect: "retired", host: "host-a" }],
    ];
    for (const [record, expected] of cases) {
      const isHere = "hosting" in record;
      const sources = sourcesWith({ record, ...(isHere ? { runState } : {}) });
      expect(await guestSummary(sources, "web1")).toMatchObject(expected);
    }
  });

  it("tells its migration, and whether that is in doubt", async () => {
    const runState = async () => "paused";
    const migration = { id: "m1", epoch: 1, role: "source", peer: "host-b", resume: true };
    const running = await guestSummary(sourcesWith({ runState, running: "m1" }), "web1");
    expect(running).toMatchObject({ migration: "m1", in_doubt: false });
    const migrations = [{ ...moved, state: "in-doubt" as const }];
    const waiting = sourcesWith({ runState, record: { migration }, migrations });
    expect(await guestSummary(waiting, "web1")).toMatchObject({ migration: "m1", in_doubt: true });
    expect(await guestSummary(sourcesWith({ held: true }), "web1")).toMatchObject({
      ...{ state: "stopped", host: null, in_doubt: true, since_ms: null },
    });
  });

  it("asks the monitor once at a time, however many want to know", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    let asked = 0;
    const sources = sourcesWith({
      runState: () => {
        asked += 1;
        return promise;
      },
    });
    const all = Array.from({ length: 200 }, () => guestSummary(sources, "web1"));
    resolve("running");
    expect(new Set((await Promise.all(all)).map(({ state }) => state))).toEqual(
      new Set(["running"]),
    );
    expect(asked).toBe(1);
    await guestSummary(sources, "web1");
    expect(asked).toBe(2);
  });
});

describe("the list of guests", () => {
  it("has those whose definitions are right, and what is wrong with the others", async () => {
    using folder = temporaryFolder();
    const write = (file: string, text: string) => writeFileSync(join(folder.path, file), text);
    write("web1.toml", 'name = "web1"\nmemory_mib = 128\n');
    write("broken.toml", 'name = "broken"\nmemory_mib = \n');
    write("odd.toml", 'name = "odd"\nmemory_mib = "much"\n');
    write("other.toml", 'name = "web1"\nmemory_mib = 128\n');
    write("no name.toml", 'name = "web1"\nmemory_mib = 128\n');
    mkdirSync(join(folder.path, "folder.toml"));
    const list = await guestSummaries(sourcesIn(folder.path, []));
    expect(list.map(({ name, state, error }) => [name, state, error?.code])).toEqual([
      ["broken", "invalid", "SOJ_GUEST_DEFINITION_INVALID"],
      ["folder", "invalid", "SOJ_GUEST_DEFINITION_INVALID"],
      ["no name", "invalid", "SOJ_BAD_NAME"],
      ["odd", "invalid", "SOJ_GUEST_DEFINITION_INVALID"],
      ["other", "invalid", "SOJ_GUEST_DEFINITION_INVALID"],
      ["web1", "stopped", undefined],
    ]);
    expect(list[4]?.error?.hint).toContain('write name = "other" in it');
    expect(list[3]).toMatchObject({
      ...{ host: null, home: "host-a", addresses: [], memory_mib: 0, vcpus: 0, in_doubt: false },
      error: { message: expect.stringContaining(`${folder.path}/odd.toml: line 2: memory_mib`) },
    });
  });

  it("leaves out one that goes while the others are looked at", async () => {
    using folder = temporaryFolder();
    expect(await guestSummaries(sourcesIn(folder.path, ["gone"]))).toEqual([]);
  });
});

/** Of a host that knows no guest but by its folder of definitions; `gone` have just been there. */
function sourcesIn(folder: string, gone: readonly string[]): GuestSources {
  const records = { get: () => undefined, all: () => [] } as unknown as RecordStore;
  const guests = new Guests({
    ...{ host: hostA, hypervisor: {} as never, network: {} as never, records },
    ...{ definitionsFolder: folder, logger: createLogger("silent") },
  });
  const names = guests.names.bind(guests);
  guests.names = () => [...names(), ...gone];
  return { ...sourcesWith({}), guests, records };
}
