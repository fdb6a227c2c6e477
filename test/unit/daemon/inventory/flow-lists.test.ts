import { expect, test } from "vitest";
import { FlowLists } from "../../../../src/daemon/inventory/flow-lists.ts";
import { parseFlow, type TrackedFlow } from "../../../../src/routing/flows/parse.ts";
import { FakeClock } from "../../platform/fake-clock.ts";

test("a guest's flows are read once for all who ask, one guest after the other, and soon forgotten", async () => {
  using clock = new FakeClock();
  const read: string[] = [];
  let reading = 0;
  const lists = new FlowLists({
    hostName: "host-a",
    addressesOf: (guest) => (guest === "web1" ? ["10.1.0.11", "10.1.0.10"] : ["10.1.0.12"]),
    readFlows: async (address) => {
      read.push(address);
      reading += 1;
      await Promise.resolve();
      expect(reading).toBe(1);
      reading -= 1;
      return [flowOf(address, "9"), flowOf(address, `1${address.slice(-1)}`)];
    },
    isGuestStanding: () => false,
  });
  const all = await Promise.all(["web1", "web2", "web1", "web1"].map((guest) => lists.of(guest)));
  expect(read).toEqual(["10.1.0.11", "10.1.0.10", "10.1.0.12"]);
  expect(all[0]).toBe(all[2]);
  expect(all[0]?.map(({ id }) => Number(id))).toEqual([9, 10, 11]);
  expect(all[1]?.map(({ guest, host }) => [guest, host])).toEqual(
    Array(2).fill(["web2", "host-a"]),
  );
  clock.run(999);
  await lists.of("web1");
  expect(read).toHaveLength(3);
  clock.run(10_000);
  await lists.of("web1");
  expect(read).toHaveLength(5);
});

test("a guest that is not known is refused each time", async () => {
  const lists = new FlowLists({
    hostName: "host-a",
    addressesOf: () => {
      throw new Error("unknown");
    },
    readFlows: async () => [],
    isGuestStanding: () => false,
  });
  await expect(lists.of("web9")).rejects.toThrow("unknown");
  await expect(lists.of("web9")).rejects.toThrow("unknown");
});

function flowOf(address: string, id: string): TrackedFlow {
  const line = `tcp 6 9 ESTABLISHED src=192.0.2.2 dst=${address} src=${address} dst=192.0.2.2 id=${id}`;
  const flow = parseFlow(line);
  if (flow === null) throw new Error(line);
  return flow;
}
