import { describe, expect, test } from "vitest";
import { FakeClock, settled } from "../platform/fake-clock.ts";
import { type Fate, HandoverWorld } from "./handover-world.ts";

/** Hands over with these fates, and lets time go by until it is over. */
async function handOver(fateOf: (number: number, name: string) => Fate) {
  using clock = new FakeClock();
  using world = new HandoverWorld();
  world.fateOf = fateOf;
  await world.handovers.begin("anchor-y");
  for (let round = 0; round < 400 && world.handovers.current?.endedMs === null; round += 1) {
    await settled();
    clock.run(500);
  }
  await settled();
  const { state, error } = world.handovers.current ?? {};
  const epochs = ["web1", "web2"].map(
    (guest) => world.of(guest === "web1" ? "host-a" : "host-b", guest)?.epoch,
  );
  const { troubles, requests } = world;
  return { state, error, epochs, troubles, requests, outcome: world.outcome() };
}

describe("a handover of guests' addresses", () => {
  test("leaves them to the other anchor, with nobody out of reach at any moment", async () => {
    const { state, outcome, troubles, epochs, requests } = await handOver(() => "answered");
    expect({ state, outcome, troubles }).toEqual({
      ...{ state: "done", outcome: "handed over", troubles: [] },
    });
    expect(epochs).toEqual([4, 4]);
    expect(requests).toBe(10);
  });

  const fates: Fate[] = ["refused", "unheard", "answer lost", "asker dies"];
  const cases = fates.flatMap((fate) =>
    Array.from({ length: 10 }, (_, index) => ({ fate, number: index + 1 })),
  );
  test.each(cases)(
    "goes back or forward when request $number is $fate",
    async ({ fate, number }) => {
      const fateOf = (asked: number) => (asked === number ? fate : "answered");
      const { state, outcome, troubles } = await handOver(fateOf);
      // The first four prepare it: two guests at the other anchor and at their hosts.
      const wanted = number <= 4 ? ["undone", "kept"] : ["done", "handed over"];
      expect([state, outcome]).toEqual(wanted);
      expect(troubles).toEqual([]);
    },
  );

  test("a second one waits for the first", async () => {
    using _clock = new FakeClock();
    using world = new HandoverWorld();
    await world.handovers.begin("anchor-y");
    await expect(world.handovers.begin("anchor-y")).rejects.toMatchObject({
      code: "SOJ_HANDOVER_BUSY",
    });
  });
});
