import fc from "fast-check";
import { expect, test } from "vitest";
import { barrierIdentifier } from "../../../src/migrator/barrier-address.ts";
import { expectBarrier } from "../../../src/migrator/barrier-flow.ts";
import type { GuestFlow } from "../../../src/routing/flows/flow-table.ts";

const question = { id: "m1", barrierAddress: "198.18.0.7", guestAddress: "10.1.0.10" };

test("any migration has an identifier that ping takes as one", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 64 }), (id) => {
      const identifier = barrierIdentifier(id);
      expect(identifier).toBeGreaterThanOrEqual(1);
      expect(identifier).toBeLessThanOrEqual(65_535);
    }),
  );
});

test("the kernel is told of echo requests that have been answered, where it tracks anything", async () => {
  const installed: GuestFlow[] = [];
  const table = (isTracking: boolean) => ({
    isTracking: async () => isTracking,
    read: async () => [],
    install: async (_address: string, flows: readonly GuestFlow[]) => {
      installed.push(...flows);
      return { installed: flows.length, present: 0, refused: {} };
    },
    forget: async () => 0,
    [Symbol.dispose]: () => {},
  });
  await expectBarrier(table(false), question, false);
  expect(installed).toEqual([]);
  await expectBarrier(table(true), question, false);
  const icmp = { type: 8, code: 0, id: barrierIdentifier("m1") };
  expect(installed).toMatchObject([
    { protocol: 1, direction: "in", peer: "198.18.0.7", icmp, replied: true },
  ]);
});
