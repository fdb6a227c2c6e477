import { join } from "node:path";
import { expect, test } from "vitest";
import { EventFeed } from "../../../src/daemon/event-feed.ts";
import { DaemonMetrics } from "../../../src/daemon/metrics/daemon-metrics.ts";
import { observe } from "../../../src/daemon/observe.ts";
import type { GuestEvent, GuestInstance } from "../../../src/hypervisor/hypervisor.ts";
import type { Guests } from "../../../src/migrator/guests.ts";
import { Journal } from "../../../src/migrator/journal.ts";
import type { Migrations } from "../../../src/migrator/migrations.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import { monotonicMs } from "../../../src/platform/clock.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { reportWith } from "../../support/fake-services.ts";
import { valueIn } from "../../support/scrape.ts";
import { completedMigration } from "../metrics/events.ts";
import { aToB, recordOf, runningAtHome, temporaryFolder } from "../migrator/support.ts";

const migration = { id: "m1", epoch: 3, role: "source", peer: "host-b", resume: true } as const;
const hosting = runningAtHome;
const redirect = { host: "host-b", tunnel: aToB };

test("a guest that is stopped for its move is frozen, and then away; home again, its redirect is retired", async () => {
  using host = new Host();
  host.records.put({ ...recordOf("web1", 10), hosting });
  const tell = host.adopt();
  expect(await host.value("sojourn_guests", { state: "running" })).toBe(1);
  host.running.add("m1");
  host.records.put({ ...recordOf("web1", 10), hosting, migration });
  expect(await host.value("sojourn_migrations_in_progress", { direction: "outgoing" })).toBe(1);
  host.write("pausing");
  tell("STOP");
  expect(await host.value("sojourn_guests_frozen")).toBe(1);
  expect(await host.value("sojourn_guest_frozen_seconds", { guest: "web1" })).toBeLessThan(60);
  host.running.delete("m1");
  expect(await host.value("sojourn_migrations_in_doubt")).toBe(1);
  host.write("taken-over-by-destination");
  host.records.put({ ...recordOf("web1", 10), redirect });
  expect(await host.value("sojourn_guests_frozen")).toBe(0);
  expect(await host.value("sojourn_guests", { state: "away" })).toBe(1);
  expect(await host.value("sojourn_redirects")).toBe(1);
  expect(await host.value("sojourn_tunnels", { kind: "ipip" })).toBe(1);
  host.records.put({ ...recordOf("web1", 10), hosting });
  expect(await host.value("sojourn_redirects")).toBe(0);
  expect(await host.value("sojourn_redirects_retired_total", { reason: "returned" })).toBe(1);
});

test("a guest that its user has paused is told as such", async () => {
  using host = new Host();
  host.records.put({ ...recordOf("web1", 10), hosting });
  host.adopt()("STOP");
  expect(await host.value("sojourn_guests", { state: "paused" })).toBe(1);
  expect(await host.value("sojourn_guests_frozen")).toBe(0);
});

test("the feed's events and probers' results are counted until the observation ends", async () => {
  using host = new Host();
  host.publish("m1");
  host.observation.noteMeasured(reportWith({ flows: { established: 3, survived: 3 } }));
  host.observation[Symbol.dispose]();
  host.publish("m2");
  expect(await host.value("sojourn_migrations_total", { outcome: "completed" })).toBe(1);
  expect(await host.value("sojourn_migration_survived_flows_total")).toBe(3);
});

/** What a daemon observes: real records, a real journal and feed; QEMU and the migrations are played. */
class Host implements Disposable {
  readonly running = new Set<string>();
  readonly records: RecordStore;
  readonly observation;
  readonly #feed = new EventFeed(createLogger("silent"));
  readonly #metrics = new DaemonMetrics({ host: "host-a", version: "1", peers: ["host-b"] });
  readonly #folder = temporaryFolder();
  readonly #journal: Journal;
  readonly #guests = { onAdopted: (_instance: GuestInstance) => {} };

  constructor() {
    this.records = new RecordStore(join(this.#folder.path, "guests"));
    this.#journal = new Journal(join(this.#folder.path, "journal"));
    const migrations = {
      isRunning: (id: string) => this.running.has(id),
      underWay: () => ({ count: 0, leaving: this.running.size, isGuestStanding: false }),
    };
    this.observation = observe({
      ...{ hostName: "host-a", metrics: this.#metrics, feed: this.#feed, peers: [] },
      ...{ records: this.records, journal: this.#journal, roles: { remember: () => {} } },
      guests: this.#guests as Guests,
      migrations: migrations as unknown as Migrations,
      isGuestStanding: () => false,
    });
  }

  /** A process of web1; what is returned lets QEMU tell of something. */
  adopt(): (name: string) => void {
    const listeners: ((event: GuestEvent) => void)[] = [];
    this.#guests.onAdopted({
      ...{ guest: "web1", ended: new Promise(() => {}), runState: async () => "running" },
      onEvent: (listener: (event: GuestEvent) => void) => listeners.push(listener),
    } as unknown as GuestInstance);
    return (name) => {
      const event = { name, data: {}, timestampMs: 0, receivedMs: monotonicMs() };
      for (const listener of listeners) listener(event);
    };
  }

  write(step: "pausing" | "taken-over-by-destination"): void {
    const { id, epoch, role } = migration;
    this.#journal.append({ step, migration: id, guest: "web1", epoch, role });
  }

  publish(id: string): void {
    for (const told of completedMigration(id)) this.#feed.publish(told);
  }

  async value(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
    return valueIn((await this.#metrics.expose()).text, name, labels);
  }

  [Symbol.dispose](): void {
    this.observation[Symbol.dispose]();
    this.#journal[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }
}
