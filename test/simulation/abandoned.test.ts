import { expect, test } from "vitest";
import { replaceClock } from "../../src/platform/clock.ts";
import { undisturbed } from "./undisturbed.ts";
import { World } from "./world/world.ts";

test("a source that dies before it has prepared anything of its own tells the destination at its start", async () => {
  const world = new World(undisturbed, {}, null);
  using _clock = replaceClock(world.clock);
  for (const host of world.hosts.values()) host.boot();
  await world.clock.run(50);
  const [source, destination] = [world.host("host-a"), world.host("host-b")];
  destination.disk.onDurable = (moment, what) => {
    if (moment === "after" && what === "sync /state/journal") source.kill();
  };
  void world.migrate("host-b");
  await world.clock.run(3_000);
  destination.disk.onDurable = () => {};
  const atDestination = () => world.copies.all.filter(({ host }) => host === "host-b");
  expect(source.daemon).toBeNull();
  expect(atDestination()).toMatchObject([{ alive: true }]);
  source.boot();
  await world.clock.run(8_000);
  // Long before the destination's lease ends.
  expect(atDestination()).toMatchObject([{ alive: false }]);
  expect(source.daemon?.migrations.list({ limit: 100 })).toMatchObject([{ state: "rolled-back" }]);
  expect(world.copies.violations).toEqual([]);
});
