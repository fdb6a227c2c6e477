import { expect, test } from "vitest";
import { ArrivalNetwork } from "../../../src/migrator/arrival-network.ts";
import type { HostContext } from "../../../src/migrator/host-context.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { FakeClock, pass } from "../platform/fake-clock.ts";
import { hostA, recordOf } from "./support.ts";

const record = recordOf("web1", 10);
const inbound = { packets_per_second: 10, budget_ms: 100 };

/** A host to which a guest comes, and on which priming its tap ends like this. */
function arrival(primeTap: (tap: string, mac: string) => Promise<void>) {
  const primed: string[] = [];
  const routing = {
    linkCounters: async () => null,
    lengthenQueue: async () => {},
    emptyQueue: async () => {},
    primeTap: (tap: string, mac: string) => {
      primed.push(mac);
      return primeTap(tap, mac);
    },
  };
  const network = { routing, postponeRepairs: () => ({ [Symbol.dispose]: () => {} }) };
  const context = { host: hostA, network, flows: null } as unknown as HostContext;
  return { primed, arrival: new ArrivalNetwork(context, createLogger("silent")) };
}

test("a tap is primed once for a process, at the latest when packets are expected, and anew for the next", async () => {
  const { primed, arrival: arriving } = arrival(async () => {});
  await arriving.expect(() => record, inbound);
  await arriving.expect(() => record, inbound);
  expect(primed).toEqual(["52:54:00:00:00:0a"]);
  await arriving.prime(record);
  expect(primed).toHaveLength(2);
});

test("one that cannot be primed is no reason to refuse the guest, and is tried again", async () => {
  const { primed, arrival: arriving } = arrival(() => Promise.reject(new Error("no socat")));
  await arriving.expect(() => record, inbound);
  await arriving.expect(() => record, inbound);
  expect(primed).toHaveLength(2);
});

test("that a former process was primed is nothing to the next, whose tap was not", async () => {
  let works = true;
  const { primed, arrival: arriving } = arrival(() =>
    works ? Promise.resolve() : Promise.reject(new Error("the device has no room")),
  );
  await arriving.prime(record);
  works = false;
  await arriving.prime(record);
  works = true;
  await arriving.expect(() => record, inbound);
  await arriving.expect(() => record, inbound);
  expect(primed).toHaveLength(3);
});

test("nor is one that was begun for the former process, and is done later", async () => {
  using clock = new FakeClock();
  const former = Promise.withResolvers<void>();
  const endings = [() => former.promise, () => Promise.reject(new Error("no socat"))];
  const { primed, arrival: arriving } = arrival(async () => endings.shift()?.());
  const waiting = arriving.prime(record);
  await pass(clock, 300);
  await waiting;
  await arriving.prime(record);
  former.resolve();
  await pass(clock, 0);
  await arriving.expect(() => record, inbound);
  expect(primed).toHaveLength(3);
});

test("a tap's priming is not waited for until the source gives its question up", async () => {
  using clock = new FakeClock();
  const { arrival: arriving } = arrival(() => new Promise(() => {}));
  let answered = false;
  void arriving
    .expect(() => record, inbound)
    .then(() => {
      answered = true;
    });
  await pass(clock, 100);
  expect(answered).toBe(false);
  await pass(clock, 200);
  expect(answered).toBe(true);
});
