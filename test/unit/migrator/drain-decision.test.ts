import fc from "fast-check";
import { expect, test } from "vitest";
import { type DrainFacts, decideDrain } from "../../../src/migrator/drain-decision.ts";
import { redirectFlows } from "../../../src/migrator/drain-flows.ts";
import { drain, session } from "./drain-world.ts";

const none = { needing: 0, idle: 0 };
const facts = (change: Partial<DrainFacts> = {}): DrainFacts => ({
  ...{ elapsedMs: 10_000, nameElapsedMs: 0, rebootElapsedMs: null, looks: [none, none] },
  ...change,
});

test("without a flow in two looks in a row the redirect goes", () => {
  expect(decideDrain(drain, facts())).toEqual({ retire: "last-flow" });
});

test("one look is not enough, nor are two of which one has found a flow", () => {
  const waits = { waitsFor: "flows" };
  expect(decideDrain(drain, facts({ looks: [] }))).toEqual(waits);
  expect(decideDrain(drain, facts({ looks: [none] }))).toEqual(waits);
  expect(decideDrain(drain, facts({ looks: [{ needing: 1, idle: 0 }, none] }))).toEqual(waits);
  expect(decideDrain(drain, facts({ looks: [none, { needing: 1, idle: 0 }] }))).toEqual(waits);
});

test("after a reboot of home a session that only is idle is waited for", () => {
  const { idleTimeoutS } = drain;
  const elapsedMs = 10_000 + idleTimeoutS * 1000;
  const rebooted = (rebootElapsedMs: number) => facts({ elapsedMs, rebootElapsedMs });
  expect(decideDrain(drain, rebooted(10_001))).toEqual({ waitsFor: "flows" });
  expect(decideDrain(drain, rebooted(10_000))).toEqual({ retire: "last-flow" });
});

test("where only idle sessions are left, the reason says so", () => {
  const looks = [
    { needing: 0, idle: 2 },
    { needing: 0, idle: 1 },
  ];
  expect(decideDrain(drain, facts({ looks }))).toEqual({ retire: "idle" });
});

test("the name is updated first, and its time to live passes", () => {
  const named = { ...drain, nameTtlS: 300 };
  const waits = { waitsFor: "name" };
  expect(decideDrain(named, facts({ elapsedMs: 1e7, nameElapsedMs: null }))).toEqual(waits);
  expect(decideDrain(drain, facts({ nameElapsedMs: null }))).toEqual(waits);
  expect(decideDrain(named, facts({ elapsedMs: 310_000, nameElapsedMs: 10_001 }))).toEqual(waits);
  expect(decideDrain(named, facts({ elapsedMs: 310_001, nameElapsedMs: 10_001 }))).toEqual({
    retire: "last-flow",
  });
});

test("its cap ends it whoever needs it, whatever the name; one without a cap never", () => {
  const used = { elapsedMs: 86_400_000, nameElapsedMs: 0, looks: [{ needing: 9, idle: 0 }] };
  expect(decideDrain(drain, facts({ ...used, nameElapsedMs: null }))).toEqual({ retire: "cap" });
  expect(decideDrain({ ...drain, capS: null }, facts({ ...used, elapsedMs: 1e12 }))).toEqual({
    waitsFor: "flows",
  });
});

test("nothing but its cap ends a redirect that a flow needs, or that could not be looked at", () => {
  const look = fc.record({ needing: fc.nat(3), idle: fc.nat(3) });
  const given = fc.record({
    elapsedMs: fc.nat(1e9),
    rebootElapsedMs: fc.option(fc.nat({ max: 1e9 })),
    nameElapsedMs: fc.option(fc.nat(1e9)),
    looks: fc.array(look, { maxLength: 4 }),
  });
  const drains = fc.record({
    nameTtlS: fc.nat(1000),
    capS: fc.option(fc.integer({ min: 1, max: 1e6 })),
  });
  fc.assert(
    fc.property(given, drains, (found, change) => {
      const decision = decideDrain({ ...drain, ...change }, found);
      if (!("retire" in decision) || decision.retire === "cap") return;
      const last = found.looks.slice(-2);
      expect(last).toHaveLength(2);
      expect(last.every(({ needing }) => needing === 0)).toBe(true);
    }),
  );
});

test("sessions that have been idle for the time-out do not need the redirect", () => {
  const idle = new Map([
    ["1", 60_000],
    ["2", 59_999],
  ]);
  const over = session("4", { state: "TIME_WAIT" });
  const found = redirectFlows([session("1"), session("2"), session("3"), over], idle, 60);
  expect(found.idle.map(({ id }) => id)).toEqual(["1"]);
  expect(found.needing.map(({ id }) => id)).toEqual(["2", "3"]);
});
