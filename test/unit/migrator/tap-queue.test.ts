import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InboundRate } from "../../../src/migrator/inbound-rate.ts";
import { queueLengthFor, TapQueue } from "../../../src/migrator/tap-queue.ts";

describe("the queue at the destination", () => {
  test("holds twice what is expected, within bounds", () => {
    expect(queueLengthFor({ packets_per_second: 0, budget_ms: 1000 })).toBe(1_000);
    expect(queueLengthFor({ packets_per_second: 10_000, budget_ms: 2_500 })).toBe(50_000);
    expect(queueLengthFor({ packets_per_second: 1e9, budget_ms: 3_600_000 })).toBe(100_000);
    const anything = fc.record({
      packets_per_second: fc.double({ min: 0, max: 1e9, noNaN: true }),
      budget_ms: fc.double({ min: 0, max: 3_600_000, noNaN: true }),
    });
    fc.assert(
      fc.property(anything, (inbound) => {
        const length = queueLengthFor(inbound);
        expect(Number.isInteger(length)).toBe(true);
        expect(length).toBeGreaterThanOrEqual(1_000);
        expect(length).toBeLessThanOrEqual(100_000);
      }),
    );
  });

  test("counts what it had no room for from the moment that packets are expected", async () => {
    let txDropped = 7;
    const lengths: number[] = [];
    const routing = {
      linkCounters: async () => ({ txPackets: 0, txBytes: 0, txDropped }),
      lengthenQueue: async (_device: string, length: number) => void lengths.push(length),
      emptyQueue: async () => void lengths.push(0),
    };
    const queue = new TapQueue(routing, "sjp0");
    expect(await queue.dropped()).toBeNull();
    await queue.expect({ packets_per_second: 3_000, budget_ms: 1_000 });
    expect(lengths).toEqual([6_000]);
    txDropped = 12;
    expect(await queue.dropped()).toBe(5);
  });

  test("a tap that is gone has dropped an unknown number", async () => {
    const routing = {
      linkCounters: async () => null,
      lengthenQueue: async () => {},
      emptyQueue: async () => {},
    };
    const queue = new TapQueue(routing, "sjp0");
    await queue.expect({ packets_per_second: 1, budget_ms: 1 });
    expect(await queue.dropped()).toBeNull();
  });
});

describe("the inbound rate", () => {
  test("is the highest of any interval that is long enough to tell", () => {
    const rate = new InboundRate();
    expect(rate.packetsPerSecond).toBe(0);
    rate.read(0, 0);
    rate.read(500, 10);
    rate.read(200, 100);
    expect(rate.packetsPerSecond).toBe(2_000);
    rate.read(250, 200);
    expect(rate.packetsPerSecond).toBe(2_000);
  });
});
