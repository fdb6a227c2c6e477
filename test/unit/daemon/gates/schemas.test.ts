import { expect, test } from "vitest";
import { planSchema } from "../../../../src/daemon/api/schemas/migrations.ts";
import { reportSchema } from "../../../../src/daemon/api/schemas/reports.ts";
import { reportOf } from "../../../../src/migrator/report-of.ts";
import { task } from "../../migrator/example-task.ts";
import { gateContext, OpenGates, StreamingGuest } from "../../migrator/gate-support.ts";

test("the API passes on what gates have decided, and who will be asked", () => {
  const { facts } = gateContext(new OpenGates(), new StreamingGuest());
  facts.timeline.note("gate", "host-a");
  const heard = { gate: "board", point: "armed", decision: "deny", answered: false } as const;
  facts.gates.push({ ...heard, reason: "frozen", waited_ms: 5, at_ms: 10 });
  const report = reportOf("host-a", task, facts, "rolled-back", null);
  expect(reportSchema.parse(report)).toEqual(report);

  const plan = { type: "plan", guest: "web1", from: "host-a", to: "host-b", tunnel: "ipip" };
  const gates = [{ gate: "board", points: ["planned", "armed"] }];
  const whole = { ...plan, hosts: [], gates, warnings: [] };
  expect(planSchema.parse(whole)).toEqual(whole);
});
