import { expect, test } from "vitest";
import type { FaultLab } from "./fault-lab.ts";
import { killAt } from "./halted-migration.ts";
import type { CodePlace } from "./pause-point.ts";

/** Which daemons die where; `ends` where the guest must be afterwards, if only one place is right. */
export interface KilledStep {
  stands: "host-a" | "host-b";
  at: CodePlace;
  dies: readonly ("host-a" | "host-b")[];
  ends?: "home" | "away";
}

/** Until the daemons run again nobody thaws a guest: their own start is added to what may freeze it. */
const restartMs = 2_000;

/** One test for each step: the daemon is killed where it stands, comes back, and the guest runs once. */
export function testKilledSteps(
  lab: () => FaultLab,
  steps: readonly (readonly [string, KilledStep])[],
): void {
  test.each(steps)("%s", async (_title, { stands, at, dies, ends }) => {
    const fault = lab();
    fault.allowFreeze(3_000 + restartMs);
    const { id, migration } = await killAt(fault, stands, at, dies);
    await Promise.all(dies.map((host) => fault.restart(host)));
    await migration.ended.catch(() => {});
    const ended = await fault.expectSettled(id);
    if (ends !== undefined) expect(ended).toBe(ends);
  });
}
