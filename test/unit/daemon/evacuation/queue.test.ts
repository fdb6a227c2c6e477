import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  advance,
  isThrough,
  type QueueEvent,
  startable,
} from "../../../../src/daemon/evacuation/queue.ts";
import {
  attemptKey,
  evacuationOf,
  type StoredEvacuation,
} from "../../../../src/daemon/evacuation/state.ts";
import { idempotencyKeyPattern } from "../../../../src/daemon/idempotency.ts";
import { evacuationOfGuests, queued } from "./support.ts";

const error = { code: "SOJ_X", message: "no", hint: null, exit_code: 4 };
const names = (evacuation: StoredEvacuation) => startable(evacuation).map(({ guest }) => guest);
const following = (evacuation: StoredEvacuation, ...events: QueueEvent[]) =>
  events.reduce(advance, evacuation);
const stateOf = ({ guests }: StoredEvacuation, name: string) =>
  guests.find(({ guest }) => guest === name)?.state;

describe("the queue of an evacuation", () => {
  it("sends as many guests as may go at once, one to each destination, in their order", () => {
    const all = evacuationOfGuests([
      ...[queued("web1"), queued("web2"), queued("web3", { to: "host-c" })],
      queued("web4", { to: "host-c" }),
    ]);
    expect(names(all)).toEqual(["web1", "web3"]);
    const begun = following(
      all,
      { type: "started", guest: "web1" },
      { type: "started", guest: "web3" },
    );
    expect(names(begun)).toEqual([]);
    expect(names(following(begun, { type: "moved", guest: "web1", blackoutMs: 20 }))).toEqual([
      "web2",
    ]);
    expect(names({ ...all, parallel: 4, parallel_per_link: 2 })).toHaveLength(4);
  });

  it("goes on with others when one fails, and tries that once more at the end", () => {
    const all = evacuationOfGuests([queued("web1"), queued("web2")], { parallel: 1 });
    const failed: QueueEvent = { type: "failed", guest: "web1", error, mayRetry: true };
    const once = following(all, { type: "started", guest: "web1" }, failed);
    expect(once.guests[0]).toMatchObject({ state: "queued", to: null, failed_at: "host-b", error });
    expect(names(once)).toEqual(["web2"]);
    const others = following(
      once,
      { type: "started", guest: "web2" },
      { type: "moved", guest: "web2", blackoutMs: null },
    );
    expect(names(others)).toEqual(["web1"]);
    const twice = following(
      others,
      { type: "placed", guest: "web1", to: "host-c" },
      { type: "started", guest: "web1" },
      failed,
    );
    expect(twice.guests[0]).toMatchObject({ state: "failed", to: "host-c", attempt: 2, error });
    expect(isThrough(twice)).toBe(true);
    expect(advance(twice, { type: "ended", atMs: 5 })).toMatchObject({
      ...{ state: "incomplete", ended_ms: 5 },
    });
  });

  it("does not repeat what cannot succeed", () => {
    const all = evacuationOfGuests([queued("web1")]);
    const failed: QueueEvent = { type: "failed", guest: "web1", error, mayRetry: false };
    expect(stateOf(following(all, { type: "started", guest: "web1" }, failed), "web1")).toBe(
      "failed",
    );
  });

  it("does not count a daemon's end as a failure, and sends nobody for ever", () => {
    let evacuation = evacuationOfGuests([queued("web1")]);
    for (let attempt = 1; attempt <= 6; attempt += 1) {
      expect(names(evacuation)).toEqual(["web1"]);
      evacuation = following(
        evacuation,
        { type: "started", guest: "web1" },
        { type: "interrupted", guest: "web1", error },
      );
      expect(evacuation.guests[0]).toMatchObject({ attempt, failures: 0 });
    }
    expect(stateOf(evacuation, "web1")).toBe("failed");
  });

  it("once cancelled begins nothing any more", () => {
    const begun = following(
      evacuationOfGuests([queued("web1"), queued("web2")]),
      { type: "started", guest: "web1" },
      { type: "cancel-asked", running: false },
    );
    expect(begun.guests.map(({ state }) => state)).toEqual(["migrating", "cancelled"]);
    const moved = following(begun, { type: "moved", guest: "web1", blackoutMs: 1 });
    expect(advance(moved, { type: "ended", atMs: 1 }).state).toBe("cancelled");
    const failed = following(begun, { type: "failed", guest: "web1", error, mayRetry: true });
    expect(stateOf(failed, "web1")).toBe("failed");
    const left = following(begun, { type: "interrupted", guest: "web1", error });
    expect(stateOf(left, "web1")).toBe("cancelled");
  });

  it("leaves a guest cancelled whose turn was just being prepared", () => {
    const cancelled = following(evacuationOfGuests([queued("web1")]), {
      ...{ type: "cancel-asked", running: false },
    });
    const late = following(
      cancelled,
      { type: "placed", guest: "web1", to: "host-c" },
      { type: "failed", guest: "web1", error, mayRetry: true },
      { type: "skipped", guest: "web1", error },
    );
    expect(late.guests).toEqual(cancelled.guests);
    expect(advance(late, { type: "ended", atMs: 1 }).state).toBe("cancelled");
  });

  it("ends, moves every guest at most once, and keeps to its bounds, whatever happens", () => {
    const ends = fc.constantFrom("moved", "failed", "final", "interrupted", "cancelled", "skipped");
    const steps = fc.infiniteStream(fc.tuple(ends, fc.nat(50), fc.nat(60)));
    const guests = fc.array(fc.constantFrom("host-b", "host-c", null), { maxLength: 12 });
    const bounds = fc.record({
      parallel: fc.integer({ min: 1, max: 4 }),
      parallel_per_link: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(guests, bounds, steps, (places, bound, stream) => {
        let evacuation = evacuationOfGuests(
          places.map((to, index) => queued(`web${index}`, { to })),
          bound,
        );
        const moved: string[] = [];
        for (let step = 0; !isThrough(evacuation); step += 1) {
          expect(step).toBeLessThan(1_000);
          const [end, pick, whim] = stream.next().value;
          const [next] = startable(evacuation);
          if (next?.to === null) {
            evacuation = advance(evacuation, { type: "placed", guest: next.guest, to: "host-b" });
            continue;
          }
          if (next !== undefined) {
            evacuation = advance(evacuation, { type: "started", guest: next.guest });
          }
          const under = evacuation.guests.filter(({ state }) => state === "migrating");
          expect(under.length).toBeLessThanOrEqual(bound.parallel);
          for (const to of ["host-b", "host-c"]) {
            const there = under.filter((guest) => guest.to === to);
            expect(there.length).toBeLessThanOrEqual(bound.parallel_per_link);
          }
          if (whim === 0)
            evacuation = advance(evacuation, { type: "cancel-asked", running: false });
          const one = under[pick % Math.max(1, under.length)];
          if (one === undefined || (whim % 2 === 0 && next !== undefined)) continue;
          const { guest } = one;
          if (end === "moved") moved.push(guest);
          evacuation = advance(evacuation, eventOf(end, guest));
        }
        expect(new Set(moved).size).toBe(moved.length);
      }),
    );
  });

  it("tells callers nothing of its own, and how far those are that are under way", () => {
    const begun = following(
      evacuationOfGuests([queued("web1"), queued("web2")]),
      { type: "started", guest: "web1" },
      { type: "begun", guest: "web1", migration: "m1" },
    );
    const progress = { phase: "precopy" as const, transferred_bytes: 1, remaining_bytes: 2 };
    const told = evacuationOf(begun, (id) => (id === "m1" ? progress : undefined));
    expect(told.guests[0]?.progress).toEqual(progress);
    expect(told.guests[1]).not.toHaveProperty("progress");
    expect(JSON.stringify(told)).not.toMatch(/failures|failed_at|cancel|request|"home"/);
  });
});

describe("the idempotency key of an attempt", () => {
  it("has a key's form, and is another one for another guest or attempt", () => {
    const guests = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
    fc.assert(
      fc.property(guests, guests, fc.integer({ min: 1, max: 99 }), (one, other, attempt) => {
        const key = attemptKey("e0a1b2c3d4e5", one, attempt);
        expect(key).toMatch(idempotencyKeyPattern);
        expect(key === attemptKey("e0a1b2c3d4e5", other, attempt)).toBe(one === other);
        expect(key).not.toBe(attemptKey("e0a1b2c3d4e5", one, attempt + 1));
      }),
    );
  });
});

function eventOf(end: string, guest: string): QueueEvent {
  switch (end) {
    case "moved":
      return { type: "moved", guest, blackoutMs: 20 };
    case "failed":
    case "final":
      return { type: "failed", guest, error, mayRetry: end === "failed" };
    case "interrupted":
      return { type: "interrupted", guest, error };
    case "cancelled":
      return { type: "cancelled", guest, error };
    default:
      return { type: "skipped", guest, error };
  }
}
