import { afterEach, beforeEach, expect, test } from "vitest";
import { FlowLists, type FlowListsOptions } from "../../../../src/daemon/inventory/flow-lists.ts";
import type { TrackedFlow } from "../../../../src/routing/flows/tracked-flow.ts";
import { flowTuple, trackedFlow } from "../../../support/tracked-flow.ts";
import { FakeClock } from "../../platform/fake-clock.ts";

let clock: FakeClock;
let kernel: TrackedFlow[];

beforeEach(() => {
  clock = new FakeClock();
  kernel = [];
});
afterEach(() => clock[Symbol.dispose]());

function lists(change: Partial<FlowListsOptions> = {}): FlowLists {
  return new FlowLists({
    hostName: "host-a",
    addressesOf: () => [{ address: "10.1.0.10", pathOf: () => "redirect" }],
    readFlows: async () => kernel,
    readTimeouts: async () => new Map([["tcp_timeout_established", 432_000]]),
    isGuestStanding: () => false,
    ...change,
  });
}

test("a guest's flows are read once for all who ask, one guest after the other, and soon forgotten", async () => {
  const read: string[] = [];
  let reading = 0;
  const [web1, web2] = [["10.1.0.11", "10.1.0.10"], ["10.1.0.12"]];
  const listed = lists({
    addressesOf: (guest) =>
      (guest === "web1" ? web1 : web2).map((address) => ({ address, pathOf: () => "direct" })),
    readFlows: async (address) => {
      read.push(address);
      reading += 1;
      await Promise.resolve();
      expect(reading).toBe(1);
      reading -= 1;
      return [flowOf("10.1.0.10", "9"), flowOf(address, `1${address.slice(-1)}`)];
    },
  });
  const all = await Promise.all(["web1", "web2", "web1", "web1"].map((guest) => listed.of(guest)));
  expect(read).toEqual(["10.1.0.11", "10.1.0.10", "10.1.0.12"]);
  expect(all[0]).toEqual(all[2]);
  expect(all[0]?.map(({ id }) => Number(id))).toEqual([9, 10, 11]);
  expect(all[1]?.map(({ guest_name, host }) => [guest_name, host])).toEqual(
    Array(2).fill(["web2", "host-a"]),
  );
  clock.run(999);
  await listed.of("web1");
  expect(read).toHaveLength(3);
  clock.run(10_000);
  await listed.of("web1");
  expect(read).toHaveLength(5);
});

test("those of TCP that are over, or were never answered, are told only to who asks for all, and a way can be chosen", async () => {
  kernel = ["ESTABLISHED", "FIN_WAIT", "TIME_WAIT", "CLOSE"].map((state, index) =>
    trackedFlow({ id: `${index}`, state }),
  );
  const listed = lists({
    addressesOf: () => [
      { address: "10.1.0.10", pathOf: ({ id }) => (id === "0" ? "direct" : "redirect") },
    ],
  });
  kernel.push(trackedFlow({ id: "4", state: "SYN_SENT", replied: false }));
  const states = async (query = {}) => (await listed.of("web1", query)).map(({ state }) => state);
  expect(await states()).toEqual(["ESTABLISHED", "FIN_WAIT"]);
  expect(await states({ all: true })).toEqual([
    "ESTABLISHED",
    "FIN_WAIT",
    "TIME_WAIT",
    "CLOSE",
    "SYN_SENT",
  ]);
  expect(await states({ path: "direct" })).toEqual(["ESTABLISHED"]);
  expect(await states({ all: true, path: "redirect" })).toEqual([
    "FIN_WAIT",
    "TIME_WAIT",
    "CLOSE",
    "SYN_SENT",
  ]);
});

test("the idle time is estimated at first, and observed once something has come", async () => {
  const listed = lists();
  const idle = async (expiresS: number) => {
    kernel = [trackedFlow({ expiresS })];
    return (await listed.of("web1"))[0]?.idle_s;
  };
  expect(await idle(431_399)).toBe(600);
  clock.run(30_000);
  expect(await idle(431_369)).toBe(630);
  clock.run(10_000);
  expect(await idle(431_999)).toBe(0);
  clock.run(10_000);
  expect(await idle(431_989)).toBe(10);
});

test("a flow whose time-outs tell nothing is idle since it was first seen", async () => {
  kernel = [trackedFlow({ expiresS: 200 })];
  const listed = lists();
  expect((await listed.of("web1"))[0]?.idle_s).toBe(0);
  clock.run(20_000);
  kernel = [trackedFlow({ expiresS: 180 })];
  expect((await listed.of("web1"))[0]?.idle_s).toBe(20);
});

test("who looks at a guest's flows all the time knows best for how long they have been idle", async () => {
  const listed = lists({ watchedIdleMs: () => new Map([["7", 2_100]]) });
  kernel = [trackedFlow({ expiresS: 400_000 }), trackedFlow({ id: "8", expiresS: 431_995 })];
  expect((await listed.of("web1")).map(({ idle_s }) => idle_s)).toEqual([2, 4]);
});

test("very many flows are listed in turns of the event loop, sorted", async () => {
  kernel = Array.from({ length: 20_000 }, (_, index) =>
    trackedFlow({ id: `${(index * 2_654_435_761) % 2 ** 32}` }),
  );
  let turns = 0;
  const count = setInterval(() => (turns += 1), 0);
  const ids = (await lists().of("web1")).map(({ id }) => id);
  clearInterval(count);
  expect(ids).toHaveLength(20_000);
  expect(ids).toEqual(ids.toSorted());
  expect(turns).toBeGreaterThan(5);
});

test("two flows to which the kernel has given the same number are two", async () => {
  const other = { original: flowTuple("192.0.2.2:40001", "10.1.0.10:7") };
  kernel = [trackedFlow({ id: "8" }), trackedFlow(), trackedFlow(other), trackedFlow()];
  const listed = await lists().of("web1");
  expect(listed.map(({ id }) => id)).toEqual(["0000000007", "0000000007.1", "0000000008"]);
});

test("a guest that is not known is refused each time", async () => {
  const listed = lists({
    addressesOf: () => {
      throw new Error("unknown");
    },
  });
  await expect(listed.of("web9")).rejects.toThrow("unknown");
  await expect(listed.of("web9")).rejects.toThrow("unknown");
});

function flowOf(address: string, id: string): TrackedFlow {
  const [original, reply] = [flowTuple("192.0.2.2", address), flowTuple(address, "192.0.2.2")];
  return trackedFlow({ id, original, reply });
}
