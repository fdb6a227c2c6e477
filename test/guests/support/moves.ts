import { expect } from "vitest";
import type { MigrateOutcome, TestLab } from "../../support/lab.ts";

const [first, second] = ["host-a", "host-b"] as const;

/** Moves web1 back and forth between host-a and host-b, from where it is now, and demands that each move completes. */
export async function moveBackAndForth(
  lab: TestLab,
  count: number,
  afterEach: (outcome: MigrateOutcome, number: number) => void | Promise<void> = () => {},
): Promise<void> {
  for (let number = 1; number <= count; number += 1) {
    const [from, to] = number % 2 === 1 ? [first, second] : [second, first];
    const outcome = await move(lab, from, to, ["--no-probe"]);
    await afterEach(outcome, number);
  }
}

/** One move of web1 that has to complete. */
export async function move(
  lab: TestLab,
  from: string,
  to: string,
  options: readonly string[] = ["--no-probe"],
): Promise<MigrateOutcome> {
  const outcome = await lab.migrate(from, "web1", to, options);
  const { exitCode, report, error } = outcome;
  expect({ exitCode, outcome: report?.outcome, error }, `${from} to ${to}`).toEqual({
    exitCode: 0,
    outcome: "completed",
    error: null,
  });
  return outcome;
}
