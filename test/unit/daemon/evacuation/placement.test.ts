import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { predictedSeconds } from "../../../../src/daemon/evacuation/cost.ts";
import {
  neededMib,
  place,
  placeOne,
  type Room,
  type SizedGuest,
} from "../../../../src/daemon/evacuation/placement.ts";

const sized = (guest: string, memoryMib: number, home = "host-a"): SizedGuest => ({
  guest,
  memoryMib,
  home,
});
const room = (host: string, freeMib: number): Room => ({ host, freeMib });

const guestLists = fc
  .array(
    fc.record({
      memoryMib: fc.integer({ min: 16, max: 8_192 }),
      home: fc.constantFrom("host-a", "host-b", "host-c"),
    }),
    { maxLength: 30 },
  )
  .map((all) => all.map(({ memoryMib, home }, index) => sized(`web${index}`, memoryMib, home)));
const roomLists = fc.uniqueArray(
  fc.record({
    host: fc.constantFrom("host-b", "host-c", "host-d", "host-e"),
    freeMib: fc.integer({ min: -500, max: 20_000 }),
  }),
  { selector: ({ host }) => host, maxLength: 4 },
);

describe("where guests are placed", () => {
  it("takes no host more memory than it has free, and places every guest at most once", () => {
    fc.assert(
      fc.property(guestLists, roomLists, (guests, rooms) => {
        const places = place(guests, rooms);
        expect([...places.keys()].toSorted()).toEqual(guests.map(({ guest }) => guest).toSorted());
        for (const { host, freeMib } of rooms) {
          const taken = guests
            .filter(({ guest }) => places.get(guest) === host)
            .reduce((sum, guest) => sum + neededMib(guest), 0);
          expect(taken).toBeLessThanOrEqual(Math.max(0, freeMib));
        }
      }),
    );
  });

  it("leaves no guest out for which a host has room left", () => {
    fc.assert(
      fc.property(guestLists, roomLists, (guests, rooms) => {
        const places = place(guests, rooms);
        const left = rooms.map(({ host, freeMib }) => {
          const here = guests.filter(({ guest }) => places.get(guest) === host);
          return freeMib - here.reduce((sum, guest) => sum + neededMib(guest), 0);
        });
        for (const guest of guests.filter((one) => places.get(one.guest) === null)) {
          expect(Math.max(...left, Number.NEGATIVE_INFINITY)).toBeLessThan(neededMib(guest));
        }
      }),
    );
  });

  it("is the host with most left, so that all links carry something", () => {
    const guests = [1, 2, 3, 4].map((number) => sized(`web${number}`, 128));
    const places = place(guests, [room("host-b", 1_000), room("host-c", 1_000)]);
    expect([...places.values()].toSorted()).toEqual(["host-b", "host-b", "host-c", "host-c"]);
    expect(placeOne(sized("web1", 128), [room("host-b", 1_000), room("host-c", 2_000)])).toBe(
      "host-c",
    );
    expect(placeOne(sized("web1", 128), [room("host-b", 128)])).toBeNull();
  });

  it("is a guest's home, if that is asked for and has room", () => {
    const rooms = [room("host-b", 500), room("host-c", 9_000)];
    expect(placeOne(sized("web1", 128, "host-b"), rooms)).toBe("host-b");
    expect(placeOne(sized("web1", 1_000, "host-b"), rooms)).toBe("host-c");
    expect(placeOne(sized("web1", 128, "host-z"), rooms)).toBe("host-c");
  });

  it("fills hosts up one by one where more guests fit so", () => {
    // The largest on the roomier host leaves 100 MiB there and 200 on the other one: too little for the last.
    const guests = [sized("web1", 536), sized("web2", 336), sized("web3", 236)];
    const rooms = [room("host-b", 600), room("host-c", 700)];
    expect([...place(guests, rooms).values()]).not.toContain(null);
  });
});

describe("what a guest's move is predicted to cost", () => {
  it("is its memory on the link, and more the faster it dirties it", () => {
    expect(predictedSeconds({ usedBytes: 125e6, dirtyBytesPerSecond: null }, 125e6)).toBe(1);
    expect(predictedSeconds({ usedBytes: 125e6, dirtyBytesPerSecond: 62.5e6 }, 125e6)).toBe(2);
  });

  it("is finite and grows with memory and dirtying, whatever the link", () => {
    const bytes = fc.double({ min: 0, max: 1e13, noNaN: true });
    fc.assert(
      fc.property(
        bytes,
        bytes,
        bytes,
        fc.double({ min: 1e3, max: 1e11, noNaN: true }),
        (used, one, other, link) => {
          const [calm, busy] = [Math.min(one, other), Math.max(one, other)];
          const cost = predictedSeconds({ usedBytes: used, dirtyBytesPerSecond: busy }, link);
          expect(Number.isFinite(cost)).toBe(true);
          expect(cost).toBeGreaterThanOrEqual(
            predictedSeconds({ usedBytes: used, dirtyBytesPerSecond: calm }, link),
          );
        },
      ),
    );
  });
});
