import { join } from "node:path";
import { expect, test } from "vitest";
import type { GuestEvent, GuestInstance } from "../../../src/hypervisor/hypervisor.ts";
import { Journal } from "../../../src/migrator/journal.ts";
import type { JournalStep } from "../../../src/migrator/journal-record.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { RunStates } from "../../../src/migrator/run-states.ts";
import { StandingGuests } from "../../../src/migrator/standing-guests.ts";
import { FakeClock } from "../platform/fake-clock.ts";
import { recordOf, temporaryFolder } from "./support.ts";

test("a guest stands from QEMU's STOP until somebody is known to run it", async () => {
  using host = new Host();
  await host.adopt("running");
  host.write("pausing");
  expect(host.standing.list()).toEqual([]);
  host.tell("STOP");
  host.clock.run(700);
  expect(host.stoodForMs()).toBe(700);
  host.write("promise");
  expect(host.stoodForMs()).toBe(700);
  host.write("taken-over-by-destination");
  expect(host.standing.list()).toEqual([]);
});

test("one that goes on at the source stands no longer", async () => {
  using host = new Host();
  await host.adopt("running");
  host.write("pausing");
  host.tell("STOP");
  host.tell("RESUME");
  expect(host.standing.list()).toEqual([]);
});

test("after a restart the journal tells since when, and is asked once", async () => {
  using host = new Host();
  host.write("pausing");
  host.write("promise");
  host.clock.run(60_000);
  await host.adopt("paused");
  expect(host.stoodForMs()).toBe(60_000);
  host.clock.run(500);
  expect(host.stoodForMs()).toBe(60_500);
  expect(host.lookUps).toBe(1);
});

test("a guest that its user has paused does not stand because of a migration", async () => {
  using host = new Host({ resume: false });
  await host.adopt("paused");
  host.write("pausing");
  expect(host.standing.list()).toEqual([]);
});

test("one that was stopped before the migration came to it does not either", async () => {
  using host = new Host();
  await host.adopt("running");
  host.tell("STOP");
  expect(host.standing.list()).toEqual([]);
});

test("at the destination it stands from the takeover on, not while it arrives", async () => {
  using host = new Host({ role: "destination" });
  await host.adopt("inmigrate");
  expect(host.standing.list()).toEqual([]);
  host.write("takeover");
  host.clock.run(40);
  expect(host.stoodForMs()).toBe(40);
  host.tell("RESUME");
  expect(host.standing.list()).toEqual([]);
});

test("of a process that has ended nothing is said", async () => {
  using host = new Host();
  await host.adopt("running");
  host.write("pausing");
  host.tell("STOP");
  host.end();
  await Promise.resolve();
  expect(host.standing.list()).toEqual([]);
});

test("what an earlier process says late changes nothing", async () => {
  using host = new Host();
  await host.adopt("running");
  const earlier = host.tell;
  await host.adopt("running");
  earlier("STOP");
  expect(host.states.get("web1")).toEqual({ isRunning: true, stoppedMs: null });
});

/** A host with one guest, a real journal, and a process that says what it is told to. */
class Host implements Disposable {
  readonly clock = new FakeClock();
  readonly states = new RunStates();
  readonly standing: StandingGuests;
  lookUps = 0;
  tell: (name: string) => void = () => {};
  end: () => void = () => {};
  readonly #folder = temporaryFolder();
  readonly #journal: Journal;
  readonly #migration: NonNullable<GuestRecord["migration"]>;

  constructor(change: Partial<NonNullable<GuestRecord["migration"]>> = {}) {
    this.#journal = new Journal(join(this.#folder.path, "journal"));
    this.#migration = {
      ...{ id: "m1", epoch: 3, role: "source", peer: "host-b", resume: true },
      ...change,
    };
    const record = { ...recordOf("web1", 10), migration: this.#migration };
    const journal = {
      has: this.#journal.has.bind(this.#journal),
      recordsOf: (id: string) => {
        this.lookUps += 1;
        return this.#journal.recordsOf(id);
      },
    };
    const records = { all: () => [record] };
    this.standing = new StandingGuests({ records, journal, runStates: this.states });
  }

  async adopt(runState: string): Promise<void> {
    let listener: (event: GuestEvent) => void = () => {};
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    this.states.follow({
      ...{ guest: "web1", ended, runState: async () => runState },
      onEvent: (given: (event: GuestEvent) => void) => {
        listener = given;
        return () => {};
      },
    } as unknown as GuestInstance);
    const { clock } = this;
    this.tell = (name) =>
      listener({ name, data: {}, timestampMs: Number.NaN, receivedMs: clock.nowMs });
    this.end = resolve;
    await expect.poll(() => this.states.get("web1")).toBeDefined();
  }

  write(step: JournalStep): void {
    const { role, epoch } = this.#migration;
    this.#journal.append({ step, migration: "m1", guest: "web1", epoch, role });
  }

  stoodForMs(): number | null {
    const [one] = this.standing.list();
    return one === undefined ? null : Math.round(this.clock.nowMs - one.sinceMs);
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
    this.clock[Symbol.dispose]();
  }
}
