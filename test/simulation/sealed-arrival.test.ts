import { expect, test } from "vitest";
import { replaceClock } from "../../src/platform/clock.ts";
import type { Instant } from "./schedule.ts";
import { undisturbed } from "./undisturbed.ts";
import { runningProcess } from "./world/daemon-process.ts";
import { World } from "./world/world.ts";

/** A guest of libvirt's is on its way to host-b; at an instant of that its source's daemon is killed. */
async function arriving(instant: Instant) {
  const world = new World({ ...undisturbed, seals: true }, {}, null);
  const clock = replaceClock(world.clock);
  for (const host of world.hosts.values()) host.boot();
  await world.clock.run(50);
  const [source, destination] = [world.host("host-a"), world.host("host-b")];
  world.copies.onInstant = (now) => {
    if (now === instant && source.daemon !== null) world.clock.after(0, () => source.kill());
  };
  void world.migrate("host-b");
  for (let waited = 0; source.daemon !== null && waited < 100; waited += 1) await pass(10);
  async function pass(ms: number) {
    await world.clock.run(world.clock.nowMs + ms);
  }
  const [migration] = world.words.migrations.keys();
  /** A request of the source's, as if its daemon lived. */
  const ask = async (name: string, request: object = {}) => {
    const answer: { state?: string } = {};
    const { daemon } = destination;
    if (daemon === null) throw new Error("the destination's daemon does not run");
    const asked = { id: migration, guest: "web1", epoch: 1, ...request };
    void runningProcess.run(daemon.process, () =>
      daemon.handlers[name]?.(asked as never, { peer: "host-a", addresses: [] }).then(
        (told) => Object.assign(answer, told),
        (error: unknown) => Object.assign(answer, { state: `${error}` }),
      ),
    );
    await pass(2_000);
    return answer.state;
  };
  const copies = () =>
    world.copies.all.map(({ host, alive, runState }) => `${host} ${alive ? runState : "ended"}`);
  return { world, source, destination, pass, ask, copies, [Symbol.dispose]: clock[Symbol.dispose] };
}

const waiting = ["host-a postmigrate", "host-b paused"];
const takenOver = ["host-a postmigrate", "host-b running"];
const givenUp = ["host-a postmigrate", "host-b ended"];

test("a guest that has arrived waits for its source's promise, and is given up in writing without it", async () => {
  using arrival = await arriving("arrived");
  await arrival.pass(20_000);
  expect(arrival.copies()).toEqual(waiting);
  await arrival.pass(30_000);
  expect(arrival.copies()).toEqual(givenUp);
  // A promise that comes late is one about a guest that nobody has here.
  await arrival.ask("seal");
  expect(await arrival.ask("settle", { grace_ms: 0, promised: true })).toBe("aborted");
  expect(arrival.copies()).toEqual(givenUp);
});

test("the promise lets what has arrived run, once", async () => {
  using arrival = await arriving("arrived");
  await arrival.ask("seal");
  expect(arrival.copies()).toEqual(takenOver);
  await arrival.ask("seal");
  expect(await arrival.ask("abort")).toBe("taken-over");
  expect(arrival.copies()).toEqual(takenOver);
  expect(arrival.world.copies.violations).toEqual([]);
});

test("a promise that is there before the end of the stream lets the guest run at that end", async () => {
  using arrival = await arriving("stopped");
  await arrival.ask("seal");
  expect(arrival.copies()).toEqual(takenOver);
});

test("a question for a final word is answered by an abort without the promise, by a takeover with it", async () => {
  {
    using arrival = await arriving("arrived");
    expect(await arrival.ask("settle", { grace_ms: 1_000 })).toBe("aborted");
    expect(arrival.copies()).toEqual(givenUp);
  }
  using arrival = await arriving("arrived");
  expect(await arrival.ask("settle", { grace_ms: 1_000, promised: true })).toBe("taken-over");
  expect(arrival.copies()).toEqual(takenOver);
});

test("a destination that was restarted does not know of a promise: it gives the guest up, and the source has it", async () => {
  using arrival = await arriving("arrived");
  arrival.destination.boot();
  await arrival.pass(1_000);
  expect(arrival.copies()).toEqual(givenUp);
  arrival.source.boot();
  await arrival.pass(3_000);
  expect(arrival.copies()).toEqual(["host-a running", "host-b ended"]);
  expect(arrival.world.copies.violations).toEqual([]);
});

test("a destination that was restarted after its takeover runs the guest on", async () => {
  using arrival = await arriving("arrived");
  await arrival.ask("seal");
  arrival.destination.boot();
  await arrival.pass(1_000);
  expect(arrival.copies()).toEqual(takenOver);
});
