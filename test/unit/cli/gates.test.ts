import { expect, test } from "vitest";
import { migrationPage } from "../../../src/bench/html/migration-page.ts";
import { describeGate, describePlan } from "../../../src/cli/migrate/describe.ts";
import { renderReport } from "../../../src/cli/render/report.ts";
import type { GateEvent } from "../../../src/daemon/services.ts";
import type { GateResult } from "../../../src/migrator/report.ts";
import { reportOf } from "../../../src/migrator/report-of.ts";
import { task } from "../migrator/example-task.ts";
import { gateContext, OpenGates, StreamingGuest } from "../migrator/gate-support.ts";

const heard: GateEvent = {
  ...{ type: "gate", id: "m1", gate: "board", point: "armed", decision: "deny", answered: true },
  ...{ reason: "frozen", waited_ms: 2_013.4, at_ms: 3_120.84, wall_clock_ms: 0 },
};

test("a gate's word is one line of what a migration does", () => {
  expect(describeGate(heard)).toBe(
    "  +3120.8 ms  gate           board at armed: deny after 2.0 s: frozen",
  );
  const asked = { ...heard, decision: "asked", answered: false, reason: null } as const;
  expect(describeGate(asked)).toMatch(/board at armed: asked$/);
  const late = { ...heard, answered: false, reason: "no answer" };
  expect(describeGate(late)).toMatch(/deny by default after 2.0 s: no answer$/);
});

test("a plan names the gates that will be asked", () => {
  const plan = {
    type: "plan",
    guest: "web1",
    from: "host-a",
    to: "host-b",
    tunnel: "ipip",
  } as const;
  const gates = [{ gate: "board", points: ["planned" as const, "armed" as const] }];
  const text = describePlan({ ...plan, hosts: [], gates, warnings: [] });
  expect(text).toContain("# gate board is asked at planned, armed");
});

test("a report tells what gates have decided, on the terminal and as a page", () => {
  const { facts } = gateContext(new OpenGates(), new StreamingGuest());
  const { gate, point, answered, waited_ms, at_ms } = heard;
  const result: GateResult = {
    gate,
    point,
    answered,
    waited_ms,
    at_ms,
    decision: "deny",
    reason: "a<b",
  };
  facts.gates.push(result);
  const report = reportOf("host-a", task, facts, "rolled-back", null);
  const text = renderReport(report, { width: 80, unicode: false });
  expect(text).toContain("gate board at armed: deny after 2.0 s: a<b");
  expect(migrationPage(report, null)).toContain("deny: a&lt;b");
});
