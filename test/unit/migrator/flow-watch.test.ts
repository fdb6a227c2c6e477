import { expect, test } from "vitest";
import { FlowWatch, type WatchedFlow } from "../../../src/migrator/flow-watch.ts";

const tuple = {
  ...{ source: "192.0.2.2", destination: "10.1.0.10", sourcePort: 40_012, destinationPort: 7 },
  ...{ icmp: null, packets: null, bytes: null },
};

function flow(change: Partial<WatchedFlow> & { packets?: number } = {}): WatchedFlow {
  const { packets = null, ...rest } = change;
  const counted = { ...tuple, packets, bytes: packets === null ? null : packets * 100 };
  return {
    ...{ id: "1", state: "ESTABLISHED", expiresS: 431_999, replied: true },
    ...{ original: counted, reply: { ...tuple, source: "10.1.0.10", destination: "192.0.2.2" } },
    ...rest,
  };
}

test("a flow is idle from the look on at which nothing has changed", () => {
  const watch = new FlowWatch();
  expect(watch.note([flow()], 1_000).get("1")).toBe(0);
  expect(watch.note([flow({ expiresS: 431_989 })], 11_000).get("1")).toBe(10_000);
  expect(watch.note([flow({ expiresS: 431_979 })], 21_000).get("1")).toBe(20_000);
});

test("counters that have grown are activity, whatever the expiry", () => {
  const watch = new FlowWatch();
  watch.note([flow({ packets: 5, expiresS: 100 })], 0);
  expect(watch.note([flow({ packets: 6, expiresS: 90 })], 10_000).get("1")).toBe(0);
  expect(watch.note([flow({ packets: 6, expiresS: 80 })], 20_000).get("1")).toBe(10_000);
});

test("without counters an expiry that moves later is activity", () => {
  const watch = new FlowWatch();
  watch.note([flow({ expiresS: 431_999 })], 0);
  expect(watch.note([flow({ expiresS: 431_999 })], 10_000).get("1")).toBe(0);
  expect(watch.note([flow({ expiresS: 431_989 })], 20_000).get("1")).toBe(10_000);
});

test("an expiry in whole seconds that wavers is none", () => {
  const watch = new FlowWatch();
  watch.note([flow({ expiresS: 100 })], 0);
  // Still 100 s after 900 ms: rounding, not activity.
  expect(watch.note([flow({ expiresS: 100 })], 900).get("1")).toBe(900);
  expect(watch.note([flow({ expiresS: 98 })], 2_100).get("1")).toBe(2_100);
});

test("one whose activity is spread thin is active all the same", () => {
  const watch = new FlowWatch();
  watch.note([flow({ expiresS: 100 })], 0);
  watch.note([flow({ expiresS: 99 })], 2_000);
  // Each look alone moves it by a second; together they are more than rounding.
  expect(watch.note([flow({ expiresS: 98 })], 4_000).get("1")).toBe(0);
});

test("an expiry that the kernel shortens is no activity", () => {
  const watch = new FlowWatch();
  watch.note([flow({ expiresS: 431_000 })], 0);
  expect(watch.note([flow({ expiresS: 300 })], 10_000).get("1")).toBe(10_000);
});

test("another state is activity", () => {
  const watch = new FlowWatch();
  watch.note([flow({ expiresS: 100 })], 0);
  expect(watch.note([flow({ expiresS: 60, state: "CLOSE_WAIT" })], 10_000).get("1")).toBe(0);
});

test("a flow with an id that was another's begins anew", () => {
  const watch = new FlowWatch();
  watch.note([flow({ expiresS: 100 })], 0);
  const other = flow({ expiresS: 90, original: { ...tuple, sourcePort: 1 } });
  expect(watch.note([other], 10_000).get("1")).toBe(0);
});

test("flows that are gone are forgotten, and begin anew", () => {
  const watch = new FlowWatch();
  watch.note([flow({ expiresS: 100 })], 0);
  expect(watch.note([], 10_000).size).toBe(0);
  expect(watch.note([flow({ expiresS: 80 })], 20_000).get("1")).toBe(0);
});

test("one that hardware carries is not idle: the kernel gets it back once it is", () => {
  const watch = new FlowWatch();
  watch.note([flow({ expiresS: null })], 0);
  expect(watch.note([flow({ expiresS: null })], 5_000).get("1")).toBe(0);
  expect(watch.note([flow({ expiresS: 100 })], 9_000).get("1")).toBe(4_000);
  expect(watch.note([flow({ expiresS: 90 })], 19_000).get("1")).toBe(14_000);
});

test("two flows with the same id are told apart, and told by the one that was active last", () => {
  const watch = new FlowWatch();
  const other = (expiresS: number) => flow({ expiresS, original: { ...tuple, sourcePort: 1 } });
  watch.note([flow({ expiresS: 100 }), other(50)], 0);
  expect(watch.note([flow({ expiresS: 90 }), other(40)], 10_000).get("1")).toBe(10_000);
  expect(watch.note([flow({ expiresS: 80 }), other(50)], 20_000).get("1")).toBe(0);
});
