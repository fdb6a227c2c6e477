import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Evacuations } from "../../../../src/daemon/evacuation/evacuations.ts";
import type { Evacuation, EvacuationRequest } from "../../../../src/daemon/evacuation/schemas.ts";
import type { StoredEvacuation } from "../../../../src/daemon/evacuation/state.ts";
import { EvacuationStore } from "../../../../src/daemon/evacuation/store.ts";
import { preconditionError } from "../../../../src/platform/errors.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { diskStorage, type Storage } from "../../../../src/platform/storage.ts";
import { temporaryFolder } from "../../migrator/support.ts";
import { FakeMoves } from "./fake-moves.ts";
import { evacuationOfGuests, queued } from "./support.ts";

let folder: ReturnType<typeof temporaryFolder>;
let stack: AsyncDisposableStack;
let moves: FakeMoves;
let reasons: string[];

beforeEach(() => {
  stack = new AsyncDisposableStack();
  folder = stack.use(temporaryFolder());
  moves = new FakeMoves(["web1", "web2", "web3", "web4"]);
  reasons = [];
});
afterEach(() => stack.disposeAsync());

/** The daemon's evacuations, also after a restart: what it has stored and the migrations that it knows stay. */
function open(storage: Storage = diskStorage): Evacuations {
  return stack.use(begun(storage));
}

/** One that nobody disposes of, like one whose process is killed. */
function begun(storage: Storage): Evacuations {
  const logger = createLogger("silent");
  const evacuations = new Evacuations({
    ...{
      host: "host-a",
      logger,
      isGuestStanding: () => false,
      linkBytesPerSecond: async () => 125e6,
    },
    store: new EvacuationStore(join(folder.path, "evacuations"), storage, logger),
    ...{ ...moves.connect(), eventsOf: () => [] },
    guestsHere: () => moves.here,
    checkPeer: (host) => {
      if (host === "host-z")
        throw preconditionError("SOJ_HOST_UNKNOWN", "host-a has no peer host-z");
    },
    beginMaintenance: (reason) => reasons.push(reason),
  });
  evacuations.begin();
  return evacuations;
}

/** What an earlier daemon has left. */
function put(evacuation: StoredEvacuation): void {
  const path = join(folder.path, "evacuations");
  new EvacuationStore(path, diskStorage, createLogger("silent")).put(evacuation);
}

const request: EvacuationRequest = { to: ["host-b", "host-c"] };

async function ended(evacuations: Evacuations, id: string): Promise<Evacuation> {
  await expect.poll(() => evacuations.find(id)?.ended_ms).toBeGreaterThan(0);
  return evacuations.find(id) as Evacuation;
}

const statesOf = ({ guests }: Evacuation) =>
  Object.fromEntries(guests.map(({ guest, state }) => [guest, state]));

describe("an evacuation", () => {
  it("moves every guest once, no more at a time than asked for, and puts the host into maintenance", async () => {
    const evacuations = open();
    const begun = await evacuations.start({ ...request, policy: "finish", timeout_s: 90 });
    expect(begun).toMatchObject({ state: "running", parallel: 2, parallel_per_link: 1 });
    expect(reasons).toEqual([`evacuation ${begun.id}`]);
    expect(evacuations.current).toBe(begun.id);
    const { state, guests } = await ended(evacuations, begun.id);
    expect(state).toBe("completed");
    expect(guests.map((guest) => [guest.state, guest.blackout_ms, guest.attempt])).toEqual(
      Array.from({ length: 4 }, () => ["moved", 20, 1]),
    );
    expect(moves.mostAtOnce).toEqual({ all: 2, "host-b": 1, "host-c": 1 });
    expect(moves.started).toHaveLength(4);
    expect(moves.started[0]).toMatchObject({ policy: "finish", timeout_s: 90 });
    expect(moves.started[0]).not.toHaveProperty("parallel");
    expect(evacuations.current).toBeNull();
  });

  it("that does not move one guest moves the others, and says why", async () => {
    moves.fail("web2", "rolled-back", "SOJ_DENIED_BY_GATE", false);
    moves.fail("web3", "refused", "SOJ_DISK_NOT_SHARED", false);
    const evacuations = open();
    const end = await ended(evacuations, (await evacuations.start(request)).id);
    expect(end.state).toBe("incomplete");
    expect(statesOf(end)).toEqual({ web1: "moved", web2: "failed", web3: "failed", web4: "moved" });
    const errors = end.guests.flatMap(({ error }) => error ?? []);
    expect(errors.map(({ code }) => code)).toEqual(["SOJ_DENIED_BY_GATE", "SOJ_DISK_NOT_SHARED"]);
    expect(moves.started).toHaveLength(4);
  });

  it("tries a guest once more at the end, at another host, where that may help", async () => {
    moves.fail("web1", "rolled-back", "SOJ_CONVERGENCE", true, 1);
    const evacuations = open();
    const end = await ended(evacuations, (await evacuations.start(request)).id);
    expect(end).toMatchObject({ state: "completed" });
    expect(end.guests[0]).toMatchObject({ guest: "web1", state: "moved", attempt: 2, error: null });
    const attempts = moves.started.filter(({ guest }) => guest === "web1");
    expect(new Set(attempts.map(({ to }) => to)).size).toBe(2);
    expect(moves.started.at(-1)?.guest).toBe("web1");
  });

  it.each(["refused", "rolled-back"] as const)(
    "sends a guest elsewhere that a destination in maintenance has %s",
    async (how) => {
      moves.fail("web1", how, "SOJ_HOST_MAINTENANCE", false, 1);
      const evacuations = open();
      const end = await ended(evacuations, (await evacuations.start(request)).id);
      expect(end).toMatchObject({ state: "completed" });
      const attempts = moves.started.filter(({ guest }) => guest === "web1");
      expect(new Set(attempts.map(({ to }) => to)).size).toBe(2);
    },
  );

  it("begins no migration after a restart that was cancelled before it was begun", async () => {
    const left = { ...queued("web1"), state: "migrating" as const, attempt: 1 };
    put(evacuationOfGuests([left], { cancel: "queued" }));
    const evacuations = open();
    const end = await ended(evacuations, "e0a1b2c3d4e5");
    expect(end.state).toBe("cancelled");
    expect(moves.started).toEqual([]);
  });

  it("does not go on when a later one was begun after its end, which was not stored", async () => {
    put(evacuationOfGuests([queued("web1")]));
    const guests = [queued("web2", { home: "host-a" })];
    put(evacuationOfGuests(guests, { id: "e111111111111", started_ms: 1_767_225_700_000 }));
    moves.here = moves.here.filter(({ guest }) => guest === "web2");
    const evacuations = open();
    const end = await ended(evacuations, "e111111111111");
    expect(end.state).toBe("completed");
    expect(evacuations.current).toBeNull();
    expect(evacuations.find("e0a1b2c3d4e5")?.state).toBe("cancelled");
    expect(moves.started.map(({ guest }) => guest)).toEqual(["web2"]);
  });

  it("goes on after its daemon was killed, wherever that was, and begins no migration twice", async () => {
    // At each write of the state, the write itself included: what comes after it never happens.
    for (let writes = 1; writes <= 14; writes += 1) {
      for (const isWritten of [true, false]) {
        await stack.disposeAsync();
        stack = new AsyncDisposableStack();
        folder = stack.use(temporaryFolder());
        moves = new FakeMoves(["web1", "web2", "web3"]);
        const first = begun(killedAfter(writes, isWritten, () => moves.crash()));
        await first.start(request).catch(() => {});
        await expect.poll(() => moves.isCrashed || first.current === null).toBe(true);
        const next = open();
        const id = next.list()[0]?.id;
        if (id === undefined) continue;
        const end = await ended(next, id);
        expect(statesOf(end), `write ${writes}`).toEqual({
          web1: "moved",
          web2: "moved",
          web3: "moved",
        });
        const completed = moves.completed.map(({ guest }) => guest).toSorted();
        expect(completed, `write ${writes}`).toEqual(["web1", "web2", "web3"]);
      }
    }
  });

  it("sends guests on their way again whose migrations the daemon's end took back", async () => {
    moves.hold("web1");
    const first = open();
    const { id } = await first.start(request);
    await expect.poll(() => first.find(id)?.guests[0]?.migration).not.toBeNull();
    await first[Symbol.asyncDispose]();
    moves.takeBack("SOJ_DAEMON_RESTARTED");
    const end = await ended(open(), id);
    expect(end.state).toBe("completed");
    expect(end.guests[0]).toMatchObject({ guest: "web1", state: "moved", attempt: 2 });
  });

  it("can be cancelled: what is queued stays, what is under way goes on", async () => {
    moves.hold("web1", "web2");
    const evacuations = open();
    const { id } = await evacuations.start(request);
    await expect.poll(() => moves.underWay.length).toBe(2);
    const cancelled = await evacuations.cancel(id, false);
    expect(Object.values(statesOf(cancelled)).toSorted()).toEqual([
      "cancelled",
      "cancelled",
      "migrating",
      "migrating",
    ]);
    moves.release();
    const end = await ended(evacuations, id);
    expect(end.state).toBe("cancelled");
    expect(Object.values(statesOf(end)).toSorted()).toEqual([
      "cancelled",
      "cancelled",
      "moved",
      "moved",
    ]);
    await expect(evacuations.cancel(id, false)).rejects.toMatchObject({ code: "SOJ_TOO_LATE" });
  });

  it("can be cancelled with what is under way", async () => {
    moves.hold("web1", "web2");
    const evacuations = open();
    const { id } = await evacuations.start(request);
    await expect.poll(() => moves.underWay.length).toBe(2);
    await evacuations.cancel(id, true);
    const end = await ended(evacuations, id);
    expect(new Set(Object.values(statesOf(end)))).toEqual(new Set(["cancelled"]));
  });

  it("skips a guest that has ended, and takes one along that came meanwhile", async () => {
    moves.hold("web1", "web2");
    const evacuations = open();
    const { id } = await evacuations.start(request);
    await expect.poll(() => moves.underWay.length).toBe(2);
    moves.remove("web4");
    moves.add("web9");
    moves.release();
    const end = await ended(evacuations, id);
    expect(end.state).toBe("completed");
    expect(statesOf(end)).toEqual({
      ...{ web1: "moved", web2: "moved", web3: "moved", web4: "skipped", web9: "moved" },
    });
    expect(end.guests.find(({ guest }) => guest === "web4")?.error).toMatchObject({ exit_code: 0 });
  });

  it("goes on where the disk is full", async () => {
    let isFull = false;
    const evacuations = open({
      ...diskStorage,
      replace: (path, content) => {
        if (isFull) throw new Error("ENOSPC");
        diskStorage.replace(path, content);
      },
    });
    const { id } = await evacuations.start(request);
    isFull = true;
    expect((await ended(evacuations, id)).state).toBe("completed");
    await expect(evacuations.start(request)).rejects.toMatchObject({
      code: "SOJ_EVACUATION_UNSTORED",
    });
  });
});

describe("an evacuation is refused, and nothing is touched", () => {
  const codeOf = (evacuations: Evacuations, wanted = request) =>
    evacuations.start(wanted).then(
      () => null,
      ({ code }: { code: string }) => code,
    );

  afterEach(() => expect(moves.started).toEqual([]));

  it("when a destination is the host itself, or nobody's", async () => {
    expect(await codeOf(open(), { to: ["host-b", "host-a"] })).toBe("SOJ_EVACUATION_TO");
    expect(await codeOf(open(), { to: ["host-z"] })).toBe("SOJ_HOST_UNKNOWN");
    expect(reasons).toEqual([]);
  });

  it("when no destination takes guests, or none has room: what each has is said", async () => {
    const evacuations = open();
    moves.capacity = { "host-b": "silent", "host-c": "maintenance" };
    await expect(evacuations.start(request)).rejects.toMatchObject({
      ...{ code: "SOJ_EVACUATION_NOWHERE", guestState: "untouched" },
      message: expect.stringMatching(/host-b does not answer; host-c is in maintenance/),
    });
    moves.capacity = { "host-b": 100, "host-c": 50 };
    await expect(evacuations.plan(request)).resolves.toMatchObject({
      guests: expect.arrayContaining([expect.objectContaining({ guest: "web1", to: null })]),
    });
    await expect(evacuations.start(request)).rejects.toMatchObject({
      message: expect.stringMatching(/128 MiB.*host-b has 100 MiB free; host-c has 50 MiB free/),
    });
  });

  it("when a stored one cannot be read: it may be half done", async () => {
    await open()[Symbol.asyncDispose]();
    const path = join(folder.path, "evacuations", "e0.json");
    writeFileSync(path, '{"id": "e0", "st');
    const evacuations = open();
    await expect(evacuations.start(request)).rejects.toMatchObject({
      ...{ code: "SOJ_EVACUATIONS_DAMAGED", message: expect.stringContaining(path) },
    });
    expect(evacuations.list()).toEqual([]);
  });
});

it("is the only one of its host, and so many are kept", async () => {
  moves.hold("web1");
  const evacuations = open();
  const both = await Promise.allSettled([evacuations.start(request), evacuations.start(request)]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  const { id } = evacuations.list()[0] as Evacuation;
  await expect(evacuations.start(request)).rejects.toMatchObject({
    ...{ code: "SOJ_EVACUATION_RUNNING", message: expect.stringContaining(id), httpStatus: 409 },
  });
  moves.release();
  await ended(evacuations, id);
  for (let count = 0; count < 24; count += 1) {
    await ended(evacuations, (await evacuations.start(request)).id);
  }
  expect(evacuations.list()).toHaveLength(20);
  expect(readdirSync(join(folder.path, "evacuations"))).toHaveLength(20);
  expect(open().list()).toEqual(evacuations.list());
});

/** A disk that stops taking anything with its `writes`th write, as that of a daemon that is killed there. */
function killedAfter(writes: number, isWritten: boolean, kill: () => void): Storage {
  let count = 0;
  return {
    ...diskStorage,
    replace: (path, content) => {
      count += 1;
      if (count < writes || (count === writes && isWritten)) diskStorage.replace(path, content);
      if (count === writes) kill();
      if (count >= writes) throw new Error("killed");
    },
  };
}
