import { expect, test } from "vitest";
import { endingError } from "../../../src/migrator/endings.ts";
import { DeniedByGate, type GatePoint } from "../../../src/migrator/gates.ts";
import { reportOf } from "../../../src/migrator/report-of.ts";
import { askGates } from "../../../src/migrator/source-gates.ts";
import { SourceMigration } from "../../../src/migrator/source-migration.ts";
import { FakeClock, pass } from "../platform/fake-clock.ts";
import { task } from "./example-task.ts";
import { gateContext, OpenGates, StreamingGuest } from "./gate-support.ts";

const never = new AbortController().signal;
const note = { gate: "board", answered: true, reason: "frozen", waitedMs: 0 } as const;
const denial = (point: GatePoint) => new DeniedByGate(point, { ...note, decision: "deny" });

/** A migration with gates before anything is prepared. */
function beginPlanned() {
  const gates = new OpenGates("planned");
  const world = gateContext(gates, new StreamingGuest());
  const migration = new SourceMigration(world.context, task, world.facts);
  return { ...world, gates, migration, ended: migration.run({ type: "started" }) };
}

test("a denial before anything is prepared ends the migration; the destination has heard nothing", async () => {
  using clock = new FakeClock();
  const { gates, migration, ended, calls } = beginPlanned();
  await pass(clock, 2_000, 500);
  expect(migration.state.name).toBe("planned");
  expect(migration.holdsGuest).toBe(false);
  gates.deny(denial("planned"));
  const end = await ended;
  expect(end).toMatchObject({ outcome: "rolled-back", failure: { step: "ask-at-planned" } });
  expect(calls).toEqual([]);
  const error = endingError("rolled-back", end.failure as never, task);
  expect(error.toRecord()).toMatchObject({
    code: "SOJ_DENIED_BY_GATE",
    exit_code: 4,
    guest_state: "running-at-source",
    retryable: false,
    message: expect.stringContaining("gate board denied it at planned: frozen"),
    hint: expect.stringContaining("gate board"),
  });
});

test("a cancellation while a gate is asked acts at once", async () => {
  using clock = new FakeClock();
  const { migration, ended } = beginPlanned();
  await pass(clock, 3_000, 500);
  expect(migration.cancel()).toBe(true);
  expect(await ended).toMatchObject({ outcome: "cancelled" });
});

test("the destination is asked for a sign of life meanwhile, and its lease is renewed once it has prepared", async () => {
  using clock = new FakeClock();
  const planned = beginPlanned();
  await pass(clock, 12_000, 500);
  expect(planned.calls).toEqual(["clock", "clock"]);
  planned.migration.cancel();
  await planned.ended;

  const gates = new OpenGates("prepared");
  const world = gateContext(gates, new StreamingGuest());
  world.facts.migrationPort = 4711;
  const migration = new SourceMigration(world.context, task, world.facts, { name: "preparing" });
  void migration.run({ type: "prepared" });
  await pass(clock, 37_000, 500);
  expect(gates.asked).toMatchObject([{ point: "prepared", guest: "web1" }]);
  expect(world.calls).toEqual(Array(7).fill("state"));
});

test("the migration's time limit holds, and counts from its start", async () => {
  using clock = new FakeClock();
  const { ended, calls } = beginPlanned();
  await pass(clock, 60_500, 500);
  expect(await ended).toMatchObject({
    outcome: "rolled-back",
    failure: { code: "SOJ_TIME_LIMIT", message: expect.stringContaining("60 s") },
  });
  expect(calls.every((name) => name === "clock")).toBe(true);
});

test("who has allowed it is not asked again at that point, and is part of the report", async () => {
  using clock = new FakeClock();
  const gates = new OpenGates("prepared");
  const { context, facts, told } = gateContext(gates, new StreamingGuest());
  const asking = askGates(context, task, facts, "prepared", never);
  await pass(clock, 1_000);
  gates.allow();
  await asking;
  await askGates(context, task, facts, "prepared", never);
  await askGates(context, task, facts, "armed", never);
  expect(gates.asked).toHaveLength(1);
  expect(told.map(({ type, point, decision, at_ms }) => [type, point, decision, at_ms])).toEqual([
    ["gate", "prepared", "asked", 0],
    ["gate", "prepared", "allow", 1_000],
  ]);
  const report = reportOf("host-a", task, facts, "completed", null);
  expect(report.gates).toEqual([
    {
      ...{ gate: "board", point: "prepared", decision: "allow", answered: true, reason: null },
      waited_ms: 5,
      at_ms: 1_000,
    },
  ]);
  expect(report.timeline).toEqual([{ phase: "gate", at_ms: 1_000, host: "host-a" }]);
  const without = gateContext(new OpenGates(), new StreamingGuest());
  expect(reportOf("host-a", task, without.facts, "completed", null)).not.toHaveProperty("gates");
});
