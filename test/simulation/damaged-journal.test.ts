import { expect, test } from "vitest";
import { replaceClock } from "../../src/platform/clock.ts";
import { undisturbed } from "./undisturbed.ts";
import { runningProcess } from "./world/daemon-process.ts";
import { World } from "./world/world.ts";

test("with damage in the middle of the journal the daemon starts and decides nothing about the guest", async () => {
  const world = new World(undisturbed, {}, null);
  using _clock = replaceClock(world.clock);
  for (const host of world.hosts.values()) host.boot();
  await world.clock.run(50);
  const here = world.host("host-a");
  const { disk } = here;
  let records = 0;
  disk.onDurable = (moment, what) => {
    if (moment === "after" && what === "sync /state/journal") records += 1;
    if (records === 3) here.kill();
  };
  void world.migrate("host-b");
  await world.clock.run(5_000);
  expect(records).toBe(3);
  disk.onDurable = () => {};
  const bytes = disk.read("/state/journal") as Buffer;
  bytes[20] = 0;
  const before = world.copies.all.map(({ runState, alive }) => ({ runState, alive }));
  here.boot();
  await world.clock.run(8_000);
  const { daemon } = here;
  expect(daemon).not.toBeNull();
  expect(daemon?.source.journal.isHeld("web1")).toBe(true);
  expect(() => daemon?.source.journal.refuseHeld("web1")).toThrow(/epoch 1 source: promise/);
  expect(daemon?.migrations.list({ limit: 100 })[0]).toMatchObject({
    state: "in-doubt",
    error: { code: "SOJ_JOURNAL_DAMAGED" },
  });
  expect(world.copies.all.filter(({ host }) => host === "host-a")).toMatchObject([
    { alive: before[0]?.alive, runState: before[0]?.runState },
  ]);
  const id = daemon?.migrations.list({ limit: 100 })[0]?.id ?? "";
  const identity = { id, guest: "web1", epoch: 1 };
  const settle = runningProcess.run(daemon?.process as never, () =>
    daemon?.handlers.settle?.(identity as never, { peer: "host-b", addresses: [] }),
  );
  await expect(settle).rejects.toThrow(/nothing is decided about web1/);
  expect(world.copies.violations).toEqual([]);
});
